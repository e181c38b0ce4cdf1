"""Words the question about moves of prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.rules.prices import change_pct
from backmarket.services import approval
from backmarket.words import counted

if TYPE_CHECKING:
    from backmarket.warehouse.price_approval import Move


def subject_of(account: str, moves: list[Move]) -> str:
    """Return the form's title."""
    return f"Back Market ({account}): {counted(len(moves), 'price change')}. Which may go out?"


def table_of(moves: list[Move]) -> str:
    """Return the form's text, in Markdown: what to do, and a table of the moves."""
    return approval.table_of(
        "moves", ("SKU", "Market", "Old price:", "New price:", "Change:"), [_row(m) for m in moves]
    )


def _row(move: Move) -> list[str]:
    return [
        approval.plain(move.sku),
        move.market,
        f"{move.old_price} {move.currency}",
        f"{move.new_price} {move.currency}",
        f"{change_pct(move.old_price, move.new_price):+.1f} %",
    ]
