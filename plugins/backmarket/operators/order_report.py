"""Ends the orders DAG: tells other DAGs of changes, and people of what could not be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import ORDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.sdk import Context

_SUMMED = ("new", "changed", "unchanged", "quarantined", "gone", "requests")


class UnreadableDocumentsError(Exception):
    """Documents came in that could not be understood; they are in quarantine, all others are stored."""


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


class BackMarketQuarantineCheckOperator(BaseOperator):
    """Fails, visibly and once, where this run put documents into quarantine.

    :param counts: the counts of the tasks that read documents; None for one that was skipped.
    :param documents: what they are, for the message.
    :raises UnreadableDocumentsError: saying how many, and where to look.
    """

    template_fields = ("counts",)
    ui_color = "#f8d7da"

    def __init__(self, *, counts: Any, documents: str = "orders", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.counts = counts
        self.documents = documents

    def execute(self, context: Context) -> None:
        """Pass where every document was understood."""
        quarantined = total(self.counts)["quarantined"]
        if quarantined:
            raise UnreadableDocumentsError(
                f"{self.documents.capitalize()} could not be understood, {quarantined} times in this run. All others "
                "are stored. These are kept whole in backmarket.quarantine, with the reason, and are tried again "
                "whenever Back Market sends them. If the reason names a field that Back Market has changed, report it "
                "to the maintainers."
            )


def total(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    """Add up the counts of several tasks."""
    done = [task for task in counts if task]
    return {name: sum(task.get(name, 0) for task in done) for name in _SUMMED}
