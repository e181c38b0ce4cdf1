"""Compares statements with orders and keeps every difference as a finding."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context


class BackMarketReconciliationOperator(BackMarketOperator):
    """Recomputes findings: of everything, or, with a period, of its days and those that new rows belong to.

    A backfill's run has one day: the UTC date on which its interval starts. With the params ``from`` and ``to`` (not
    included) a run has those days. Any other run looks at everything, whatever its date. One transaction.

    :raises ValueError: where the period cannot be understood.
    """

    ui_color = "#cce5ff"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: findings changed and closed, open ones by kind, and what the quality check needs."""
        from backmarket.settings import ReconciliationSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlement_reconciliation import Limits, reconcile

        began = monotonic()
        settings = ReconciliationSettings.load()
        span = period(context["params"], context["dag_run"])
        days = frozenset(span[0] + timedelta(days=n) for n in range((span[1] - span[0]).days)) if span else None
        limits = Limits(settings.settlement_due_days, settings.settlement_tolerance)
        with connect(self.warehouse_conn_id) as connection:
            done = reconcile(connection, self.account, limits, days)
        self.log.info(
            "%d rows tied to orders that arrived later; %d findings new or changed, %d closed in %.1f s.",
            done.tied,
            done.changed,
            done.closed,
            monotonic() - began,
        )
        for kind, count in done.open_by_kind.items():
            self.log.info("Open: %5d %s", count, kind)
        return {
            "account": self.account,
            "tied": done.tied,
            "changed": done.changed,
            "closed": done.closed,
            "open": sum(done.open_by_kind.values()),
            "open_by_kind": done.open_by_kind,
            "orphan_limit_pct": str(settings.settlement_orphan_limit_pct),
            "seconds": round(monotonic() - began, 1),
        }


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
