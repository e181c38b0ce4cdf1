"""Says what is wrong with the statements of an account, after everything else of a run is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from backmarket.warehouse.settlements.quality import Quality

_MOST_NAMED = 10


class SettlementsOffError(Exception):
    """Statements are not as they must be; what could be loaded and compared, is. Only a person can change it."""


def fail_where_settlements_are_off(quality: Quality, *, orphan_limit_pct: Decimal, variable: str) -> None:
    """Pass where every file is understood, every total is the sum of its rows, and few rows belong to no order.

    :param variable: the Variable that says how many rows are few.
    :raises SettlementsOffError: saying which file or statement, why, and what to do.
    """
    problems = [*_unreadable(quality), *_off(quality), *_orphans(quality, orphan_limit_pct, variable)]
    if problems:
        raise SettlementsOffError(" ".join([*problems, "All other statements are loaded and compared."]))


def _unreadable(quality: Quality) -> Iterator[str]:
    if files := quality.unreadable:
        count = "1 file" if len(files) == 1 else f"{len(files):,} files"
        yield f"{count} of the settlement inbox cannot be read."
        yield from (f"{file.path}: {file.reason}." for file in files[:_MOST_NAMED])
        yield from _more(len(files), "backmarket.quarantine")
        yield "Put right what is named, or take it out of the inbox; the next run looks again."


def _off(quality: Quality) -> Iterator[str]:
    if statements := quality.off:
        yield (
            "1 statement does not add up." if len(statements) == 1 else f"{len(statements):,} statements do not add up."
        )
        for each in statements[:_MOST_NAMED]:
            said = f"{each.said_total:,.2f} {each.currency} in {each.said_lines:,} rows"
            stored = f"{each.total:,.2f} {each.currency} in {each.lines:,} rows"
            yield f"{each.invoice_ref} ({each.file_name}) says {said}, and {stored} are stored."
        yield from _more(len(statements), "backmarket.settlement_statements")
        yield "Rows were changed in the database; if not by you, report this to the maintainers."


def _orphans(quality: Quality, limit_pct: Decimal, variable: str) -> Iterator[str]:
    orphans = quality.orphans
    if orphans.orphan_pct > limit_pct:
        yield (
            f"{orphans.orphan_lines:,} of {orphans.lines:,} rows ({orphans.orphan_pct} %) are sales, fees or refunds "
            f"of orders that Back Market does not have, or name none; Variable {variable} allows {limit_pct} %. Are "
            "the statements of another account in this inbox? If not, send the rows to Back Market (findings of kind "
            "sale_without_order, and settlement_lines without tied_by), or raise the Variable."
        )


def _more(count: int, table: str) -> Iterator[str]:
    if count > _MOST_NAMED:
        yield f"And {count - _MOST_NAMED:,} more: {table} has them all."
