"""Writes the rows of a statement as PostgreSQL's COPY takes them, a block at a time, tied to the orders they name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from backmarket.rules.settlements.files import StatementLines, Survey
    from backmarket.warehouse.connection import Connection

_NULL = r"\N"
# A control character inside a value would end it.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True)
class Ties:
    """Which order each name on a statement belongs to.

    :param unusual: of numbers that are no stored order: the order whose orderline it is, or None.
    :param parcels: orders by tracking number.
    """

    unusual: dict[int, int | None]
    parcels: dict[str, int]

    def of(self, number: int | None, tracking_number: str | None) -> tuple[str, str]:
        """Return a row's ``order_id`` and ``tied_by``, written for COPY."""
        if number is not None:
            if number not in self.unusual:
                return str(number), "order"
            order_id = self.unusual[number]
            return (str(number), _NULL) if order_id is None else (str(order_id), "orderline")
        if tracking_number in self.parcels:
            return str(self.parcels[tracking_number]), "tracking"
        return _NULL, _NULL


def find_ties(connection: Connection, account: str, found: Survey) -> Ties:
    """Look up all orders that a statement names, at once."""
    unusual = connection.execute(
        sql.statement("settlements/select_unusual_ties"), {"account": account, "numbers": list(found.numbers)}
    ).fetchall()
    parcels = (
        connection.execute(
            sql.statement("settlements/select_parcels"), {"account": account, "tracking_numbers": list(found.parcels)}
        ).fetchall()
        if found.parcels
        else []
    )
    return Ties(dict(unusual), dict(parcels))


def copy_text(lines: StatementLines, ties: Ties, account: str, invoice_ref: str, exported_at: datetime) -> str:
    """Write rows in the order of columns of ``settlements/copy_lines``."""
    line_no = list(map(str, lines.line_no))
    tied = list(map(ties.of, lines.number, lines.tracking_number))
    order_id, tied_by = zip(*tied, strict=True)
    columns: tuple[Iterable[str], ...] = (
        repeat(_escape(account)),
        repeat(invoice_ref),
        line_no,
        line_no,
        lines.currency,
        _written(lines.invoice_key),
        lines.category,
        lines.role,
        _written(lines.value_date),
        ["t" if is_undated else "f" for is_undated in lines.is_undated] if any(lines.is_undated) else repeat("f"),
        _written(lines.sku),
        order_id,
        _written(lines.number),
        _written(lines.order_reference) if any(lines.order_reference) else repeat(_NULL),
        _written(lines.tracking_number),
        tied_by,
        _written(lines.designation),
        lines.amount,
        repeat(exported_at.isoformat()),
        repeat(_NULL),
        repeat("f"),
    )
    return "\n".join(map("\t".join, zip(*columns, strict=False))) + "\n"


def _written(values: Sequence[object]) -> list[str]:
    """Write each value once for all rows that have it."""
    texts = {value: _NULL if value is None else _escape(str(value)) for value in set(values)}
    return [texts[value] for value in values]


def _escape(text: str) -> str:
    return text.translate(_ESCAPED) if "\\" in text or not text.isprintable() else text
