"""Tells other DAGs that listings have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import LISTINGS
from backmarket.operators.order_report import total

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketListingAnnouncementOperator(BaseOperator):
    """Updates the asset ``backmarket/listings``, with the run's counts, where offers changed; else skips.

    :param counts: the counts of the tasks that read listings, one a market.
    """

    template_fields = ("counts",)
    ui_color = "#fff3cd"

    def __init__(self, *, counts: Any, **kwargs: Any) -> None:
        super().__init__(outlets=[LISTINGS], **kwargs)
        self.counts = counts

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of the run."""
        totals = total(self.counts)
        changed = totals["new"] + totals["changed"] + totals["gone"]
        if not changed:
            raise AirflowSkipException("No listing is new, changed or gone: nothing to tell.")
        context["outlet_events"][LISTINGS].extra = dict(totals)
        self.log.info("%d offers changed: asset %s updated.", changed, LISTINGS.name)
        return totals
