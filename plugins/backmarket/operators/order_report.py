"""Tells other DAGs that orders changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.sdk import Context

_SUMMED = ("new", "changed", "unchanged", "quarantined", "gone", "requests")


class BackMarketOrderAnnouncementOperator(BaseOperator):
    """Updates the asset ``backmarket/orders``, with the run's counts, where orders changed; else skips.

    :param counts: the counts of the tasks that read orders; None for one that was skipped.
    """

    template_fields = ("counts",)
    ui_color = "#fff3cd"

    def __init__(self, *, counts: Iterable[Any], **kwargs: Any) -> None:
        super().__init__(outlets=[ORDERS], **kwargs)
        self.counts = counts

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of the run."""
        totals = total(self.counts)
        changed = totals["new"] + totals["changed"] + totals["gone"]
        if not changed:
            raise AirflowSkipException("No order is new or changed: nothing to tell.")
        context["outlet_events"][ORDERS].extra = dict(totals)
        self.log.info("%d orders changed: asset %s updated.", changed, ORDERS.name)
        return totals


def total(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    """Add up the counts of several tasks."""
    done = [task for task in counts if task]
    return {name: sum(task.get(name, 0) for task in done) for name in _SUMMED}
