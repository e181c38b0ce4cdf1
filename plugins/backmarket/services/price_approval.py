"""Words the question about large moves of prices, and understands the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backmarket.warehouse.price_approval import Move


ALL_OF_THEM = "All of them"

NONE_OF_THEM = "None of them"

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def options_of(moves: list[Move]) -> list[str]:
    return [*(move.option for move in moves), ALL_OF_THEM, NONE_OF_THEM]


def approved_of(moves: list[Move], chosen: set[str]) -> list[Move]:
    if NONE_OF_THEM in chosen:
        return []
    return [move for move in moves if ALL_OF_THEM in chosen or move.option in chosen]


def subject_of(account: str, moves: list[Move]) -> str:
    changes = "1 large price change" if len(moves) == 1 else f"{len(moves)} large price changes"
    return f"Back Market ({account}): {changes}. Which may go out?"


def table_of(moves: list[Move]) -> str:
    rows = [
        f"Select the moves that may go out, or `{ALL_OF_THEM}`, or `{NONE_OF_THEM}`. What is not selected is refused.",
        "",
        "| SKU | Market | Old price | New price | Change | Reason |",
        "|---|---|---:|---:|---:|---|",
    ]
    for move in moves:
        change = (move.new_price - move.old_price) / move.old_price * 100
        prices = f"{move.old_price} {move.currency} | {move.new_price} {move.currency} | {change:+.1f} %"
        rows.append(f"| {_plain(move.sku)} | {move.market} | {prices} | {_plain(move.reason)} |")
    return "\n".join(rows)


def _plain(text: str) -> str:
    """Keep a SKU's own signs from being taken for Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
