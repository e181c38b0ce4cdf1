"""Writes the rows of a statement, with the orders they belong to, as PostgreSQL's COPY reads them."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from backmarket.rules.settlements.files import StatementLines
    from backmarket.warehouse.settlements.ties import Ties

_NULL = r"\N"
# A control character inside a value would end it.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copy_text(lines: StatementLines, ties: Ties, account: str, invoice_ref: str, exported_at: datetime) -> str:
    """Write rows in the order of columns of ``settlements/copy_lines``."""
    statement = f"{_escape(account)}\t{invoice_ref}"
    columns: tuple[Iterable[str], ...] = (
        [f"{statement}\t{number}\t{number}" for number in lines.line_no],
        lines.currency,
        _written(lines.invoice_key),
        lines.category,
        lines.role,
        _written(lines.value_date),
        ["t" if is_undated else "f" for is_undated in lines.is_undated] if any(lines.is_undated) else repeat("f"),
        _written(lines.sku),
        _names(lines, ties),
        _written(lines.designation),
        lines.amount,
        repeat(f"{exported_at.isoformat()}\t{_NULL}\tf"),
    )
    return "\n".join(map("\t".join, zip(*columns, strict=False))) + "\n"


def _names(lines: StatementLines, ties: Ties) -> list[str]:
    """Write what each row names and the order it belongs to, once for all rows of one order."""
    rows = list(zip(lines.number, lines.order_reference, lines.tracking_number, strict=True))
    texts = {}
    for number, order_reference, tracking_number in set(rows):
        order_id, tied_by = ties.of(number, tracking_number)
        values = (order_id, number, order_reference, tracking_number, tied_by)
        texts[number, order_reference, tracking_number] = "\t".join(
            [_NULL if value is None else _escape(str(value)) for value in values]
        )
    return [texts[row] for row in rows]


def _written(values: Sequence[object]) -> list[str]:
    """Write each value once for all rows that have it."""
    texts = {value: _NULL if value is None else _escape(str(value)) for value in set(values)}
    return [texts[value] for value in values]


def _escape(text: str) -> str:
    return text.translate(_ESCAPED) if "\\" in text or not text.isprintable() else text
