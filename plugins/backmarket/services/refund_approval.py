"""Words the question about refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.services import approval
from backmarket.words import counted

if TYPE_CHECKING:
    from backmarket.warehouse.refund_approval import RefundQuestion


def subject_of(account: str, refunds: list[RefundQuestion]) -> str:
    """Return the form's title."""
    return f"Back Market ({account}): {counted(len(refunds), 'refund')}. Which may go out?"


def table_of(refunds: list[RefundQuestion]) -> str:
    """Return the form's text, in Markdown: what to do, and a table of the refunds."""
    return approval.table_of(
        "refunds", ("Order", "Line", "Kind", "Amount:", "Why you are asked"), [_row(r) for r in refunds]
    )


def _row(refund: RefundQuestion) -> list[str]:
    return [
        str(refund.order_id),
        str(refund.orderline_id),
        approval.plain(refund.kind),
        f"{refund.amount} {refund.currency}",
        approval.plain(refund.reason),
    ]
