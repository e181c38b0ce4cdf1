"""Every kind of settlement finding, and what it means in one sentence; how a person reads its name."""

from __future__ import annotations

KINDS: dict[str, str] = {
    "missing_sale": "shipped, and in no statement when due",
    "sale_without_order": "a sale of an order that Back Market does not have, or that names none",
    "sale_amount_difference": "the sale is not what the order's lines add up to",
    "fee_difference": "the commission is not the order's own",
    "refund_without_refunded_line": "refunded on the statement, and no refunded line, refund of yours, return or care "
    "folder explains it",
    "refunded_line_without_refund": "a refunded line that no statement refunds when due",
    "refund_amount_difference": "another amount refunded than the refunded lines' own",
    "refund_without_fee_credit": "refunded, and the commission kept",
    "fee_credit_difference": "another commission given back than the refunded lines' own",
    "currency_mismatch": "the order is in one currency, its rows in another",
    "line_changed": "a later export of the statement has the row with other content",
    "line_vanished": "an earlier export of the statement has the row, the newest has not",
    "unknown_key": "a key that nobody knows: in the total, not in the net",
    "unknown_order_reference": "the column order_id says something that is no order id",
    "no_value_date": "the row has no date: it counts on the day of the statement",
    "refund_not_in_statement": "you refunded it, and no statement shows that when due",
    "returned_not_refunded": "it came back, and was not refunded when due",
    "refunded_not_returned": "it was refunded after shipping, and did not come back when due",
    "payout_never_released": "a payout held back, and not released when due",
}


def in_words(name: str) -> str:
    """Write a kind, a category or a key for a person: ``missing_sale`` is "Missing sale"."""
    words = " ".join(name.replace("_", " ").split())
    return words[:1].upper() + words[1:]
