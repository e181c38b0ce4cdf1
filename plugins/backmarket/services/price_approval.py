"""Words the question about large moves of prices, and records the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backmarket.rules.prices import change_pct
from backmarket.warehouse import price_approval
from backmarket.words import counted

if TYPE_CHECKING:
    from backmarket.rules.prices import Decision
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.price_approval import Move

ALL_OF_THEM = "All of them"
NONE_OF_THEM = "None of them"

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")


class PriceAnswerError(Exception):
    """An answer to the question about prices cannot be used: nothing was decided."""


def options_of(moves: list[Move]) -> list[str]:
    """Return the choices of the form."""
    return [*(move.option for move in moves), ALL_OF_THEM, NONE_OF_THEM]


def subject_of(account: str, moves: list[Move]) -> str:
    """Return the form's title."""
    return f"Back Market ({account}): {counted(len(moves), 'large price change')}. Which may go out?"


def table_of(moves: list[Move]) -> str:
    """Return the form's text, in Markdown: what to do, and a table of the moves."""
    rows = [
        f"Select the moves that may go out, or `{ALL_OF_THEM}`, or `{NONE_OF_THEM}`. What is not selected is declined.",
        "",
        "| SKU | Market | Old price | New price | Change |",
        "|---|---|---:|---:|---:|",
    ]
    for move in moves:
        prices = f"{move.old_price} {move.currency} | {move.new_price} {move.currency}"
        change = f"{change_pct(move.old_price, move.new_price):+.1f} %"
        rows.append(f"| {_plain(move.sku)} | {move.market} | {prices} | {change} |")
    return "\n".join(rows)


def record_answer(
    connection: Connection,
    account: str,
    moves: list[Move],
    chosen: set[str] | None,
    *,
    run_id: str,
    decided_by: str | None,
) -> dict[str, int]:
    """Record the decision about each move, in one transaction.

    "None of them" wins over whatever else is selected: a doubt sends nothing.

    :param chosen: the options that a person selected; None where nobody answered in time.
    :return: how many moves were approved, refused and expired.
    """
    counts = {"approved": 0, "refused": 0, "expired": 0}
    with connection.transaction():
        for move in moves:
            decision = _decision(move, chosen)
            price_approval.decide(connection, account, move, decision, run_id=run_id, decided_by=decided_by)
            counts[decision] += 1
    return counts


def _decision(move: Move, chosen: set[str] | None) -> Decision:
    if chosen is None:
        return "expired"
    is_selected = NONE_OF_THEM not in chosen and (ALL_OF_THEM in chosen or move.option in chosen)
    return "approved" if is_selected else "refused"


def _plain(text: str) -> str:
    """Escape the characters of a text that Markdown would take for its own."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
