"""What each ``invoice_key`` of a settlement statement means: one table for people and for the program."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

UNKNOWN = "unknown"
LOGISTICS = "logistics"


class Meaning(NamedTuple):
    """How a line counts.

    :param category: what the money is, for totals and reports; ``cash_flow`` and ``unknown`` are not profit.
    :param role: what the line is compared with in its order; empty where orders say nothing about it.
    """

    category: str
    role: str = ""


# The first pattern that fits holds. Seen in production; logistics and the adjustments in one source only.
TABLE: tuple[tuple[str, Meaning], ...] = (
    ("sales", Meaning("revenue", "sale")),
    ("sales_dp_adjustment", Meaning("revenue", "sale")),
    ("sales_fees", Meaning("commission", "fee")),
    ("avoir_sales_fees", Meaning("commission", "fee_credit")),
    ("deals_commission_discount", Meaning("commission")),
    ("payment_fees", Meaning("payment_fee")),
    ("paypal_fees", Meaning("payment_fee")),
    ("klarna_fees", Meaning("payment_fee")),
    ("affirm_fees", Meaning("payment_fee")),
    ("oney_fees", Meaning("payment_fee")),
    ("scalapay_fees", Meaning("payment_fee")),
    ("ccbm_fees", Meaning("service")),
    ("monthly_fees", Meaning("service")),
    ("*backship*", Meaning(LOGISTICS)),
    ("*epr*", Meaning(LOGISTICS)),
    ("*eco_participation*", Meaning(LOGISTICS)),
    ("refunds", Meaning("refund", "refund")),
    ("refund_*", Meaning("refund", "refund")),
    ("credit_requests", Meaning("refund")),
    ("regularization_chargeback", Meaning("refund")),
    ("manual_reimbursement", Meaning("refund")),
    ("dp_adjustment_fee", Meaning("adjustment")),
    ("dp_adjustment_fee_refund", Meaning("adjustment")),
    ("bonus_marketing", Meaning("adjustment")),
    ("allowance", Meaning("adjustment")),
    ("general_cost", Meaning("adjustment")),
    ("adjustment", Meaning("adjustment")),
    ("deferred_payout_retained", Meaning("cash_flow", "retained")),
    ("deferred_payout_released", Meaning("cash_flow", "released")),
    ("transfer_*", Meaning("cash_flow")),
    ("payment", Meaning("cash_flow")),
    ("payments", Meaning("cash_flow")),
    ("payout", Meaning("cash_flow")),
)


@lru_cache(maxsize=1024)
def meaning_of(invoice_key: str) -> Meaning:
    """Look a key up, in whatever case it is written; one that nobody knows is kept as ``unknown``."""
    key = invoice_key.strip().lower()
    return next((meaning for pattern, meaning in TABLE if fnmatchcase(key, pattern)), Meaning(UNKNOWN))
