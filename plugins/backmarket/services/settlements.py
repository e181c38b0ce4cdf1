"""Tells which days a comparison of statements is about, and in which order files are loaded."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.hooks.settlement_inbox import InboxFile


ENTITY = "settlement_file"


def has_no_reference(file: InboxFile) -> bool:
    from backmarket.rules.settlements.references import invoice_reference

    return not invoice_reference(file.name, "")


def period(params: Mapping[str, Any], dag_run: Any) -> tuple[date, date] | None:
    """Return the days a run is about, the second not included; None for a run about everything.

    :raises ValueError: where the period has no beginning or no end, or ends before it begins.
    """
    first, end = params.get("from"), params.get("to")
    if first or end:
        if not (first and end):
            raise ValueError("a period needs both its params, 'from' and 'to' (not included)")
        span = date.fromisoformat(first[:10]), date.fromisoformat(end[:10])
        if span[0] >= span[1]:
            raise ValueError(f"'to' ({span[1]}) must lie after 'from' ({span[0]})")
        return span
    if dag_run.run_type == "backfill":
        start: datetime | None = dag_run.data_interval_start
        if start is None:
            raise ValueError("this backfill's run has no interval: set its params 'from' and 'to'")
        day = start.astimezone(UTC).date()
        return day, day + timedelta(days=1)
    return None
