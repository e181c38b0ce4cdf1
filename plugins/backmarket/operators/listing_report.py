"""Ends the listings DAG: tells other DAGs what changed, and people what could not be created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from backmarket.assets import LISTINGS
from backmarket.operators.item_failures import named
from backmarket.operators.order_report import total

if TYPE_CHECKING:
    from airflow.sdk import Context


class ListingsNotCreatedError(AirflowFailException):
    """Back Market refused lines, failed a batch, or did not finish in time; everything else is settled."""


class BackMarketListingAnnouncementOperator(BaseOperator):
    """Updates the asset ``backmarket/listings``, with the run's counts, where offers changed; else skips.

    :param counts: the counts of a task, or of each instance of a mapped one.
    """

    template_fields = ("counts",)
    ui_color = "#fff3cd"

    def __init__(self, *, counts: Any, **kwargs: Any) -> None:
        super().__init__(outlets=[LISTINGS], **kwargs)
        self.counts = counts

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of the run."""
        totals = total([self.counts] if isinstance(self.counts, dict) else self.counts or ())
        changed = totals["new"] + totals["changed"] + totals["gone"]
        if not changed:
            raise AirflowSkipException("No listing is new, changed or gone: nothing to tell.")
        context["outlet_events"][LISTINGS].extra = dict(totals)
        self.log.info("%d offers changed: asset %s updated.", changed, LISTINGS.name)
        return totals


class BackMarketListingCreationCheckOperator(BaseOperator):
    """Fails, visibly and once, where lines that were sent did not become listings; also where this run sends nothing.

    :param leftovers: the counts of what earlier runs had sent.
    :param results: the counts of what this run sent.
    :param sent: the counts of the sending; ``not_sent`` in them are SKUs that stay planned or were refused unsent. None
        where nothing was to be sent.
    :raises ListingsNotCreatedError: saying how many, and where to look.
    """

    template_fields = ("leftovers", "results", "sent")
    ui_color = "#f8d7da"

    def __init__(self, *, leftovers: Any, results: Any, sent: Any, **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "none_failed_min_one_success", **kwargs})
        self.leftovers = leftovers
        self.results = results
        self.sent = sent

    def execute(self, context: Context) -> None:
        """Pass where everything that was sent has been created."""
        refused = self.leftovers["refused"] + self.results["refused"]
        again, unknown = self.results["planned"], self.results["unknown"]
        not_sent = self.sent["not_sent"] if self.sent else []
        if not_sent and not (refused or again or unknown):
            raise ListingsNotCreatedError(
                f"The SKUs {named(not_sent)} could not be sent: they could not be looked up, or Back Market refused "
                "their batch as a whole; backmarket.changes says why. All others are settled. These go into the next "
                "run until they had as many tries as a line may have."
            )
        if refused or again or unknown:
            raise ListingsNotCreatedError(
                f"Of the lines sent to Back Market, {refused} were refused, {again} go into the next run, and of "
                f"{unknown} it is not known in time how they ended. backmarket.catalog_readiness has the reason of "
                "each SKU. Correct refused rows of seller.catalog; the next run settles the rest by itself."
            )
