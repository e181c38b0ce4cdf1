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
    line_no = list(map(str, lines.line_no))
    order_id, tied_by = zip(*map(ties.of, lines.number, lines.tracking_number), strict=True)
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
        _written(order_id),
        _written(lines.number),
        _written(lines.order_reference) if any(lines.order_reference) else repeat(_NULL),
        _written(lines.tracking_number),
        _written(tied_by),
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
