"""Sends planned quantities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.operators.listing_upload import ListingUpload
    from backmarket.settings import QuantitySettings

# What moved between plan and write is planned anew and sent in the same run, so many times.
ROUNDS = 3
PRICES_PLAN = "prices_plan"
"""The task of the same DAG that plans prices."""


class BackMarketInventoryUploadOperator(BackMarketOperator):
    """Sends quantities one by one: stock-outs first, then the lowest, then the rest.

    A home price of the same SKU goes along in the same request, where this run has planned prices: one that an earlier
    run planned may not be wanted any more. Running again sends nothing twice: what was confirmed is planned no more,
    and what is uncertain is read back, again once it must have arrived, before anything else is sent. A listing that
    Back Market fails on, or lists and does not find, is named and stays planned; all others are sent.
    """

    ui_color = "#f5c6cb"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the outcomes, how many changes wait, requests made; and the SKUs that could not be sent, as
        ``not_sent``."""
        from backmarket.operators.listing_upload import open_upload, skip_unless_sending
        from backmarket.settings import QuantitySettings, is_neighbour_on

        settings = QuantitySettings.load()
        skip_unless_sending(settings, "inventory_upload")
        prices_too = is_neighbour_on("prices_upload") and _are_prices_planned(context)
        with open_upload(self, hold=timedelta(hours=settings.pending_hold_hours)) as upload:
            for _ in range(ROUNDS):
                again = _send_all(upload, prices_too=prices_too)
                again |= upload.look_again(wait_of("in_flight_seconds"))
                if not again:
                    break
                _plan_anew(upload, settings, context)
            waiting = upload.tell_what_waits(upload.quantities)
            requests = upload.client.requests_made
        self.log.info("Quantities sent: %s; %d requests.", dict(upload.counts) or "none", requests)
        return {**upload.counts, "waiting": waiting, "requests": requests, "not_sent": list(upload.failures.failed)}


def _are_prices_planned(context: Context) -> bool:
    """Tell whether this run's prices are planned. Asked for, not depended on: no price stands in a quantity's way."""
    ti, run_id = context["ti"], context["run_id"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[PRICES_PLAN], run_ids=[run_id])
    return bool(states.get(run_id, {}).get(PRICES_PLAN) == "success")


def _send_all(upload: ListingUpload, *, prices_too: bool) -> bool:
    """Send what is planned, and tell whether some of it is to be planned anew."""
    changes = upload.quantities.planned()
    changes.sort(key=lambda change: (change.payload["quantity"] > 0, change.payload["quantity"]))
    shown = upload.shown_in_plan(changes)
    prices = {}
    if prices_too:
        prices = {change.subject: change for change in upload.prices.planned() if change.market == upload.home}
    again = False
    for change in upload.failures.each(changes):
        outcome = upload.send_quantity(change, shown.get(change.subject), prices.get(change.subject))
        if outcome == "waits":
            return False
        again |= outcome == "again"
    return again


def _plan_anew(upload: ListingUpload, settings: QuantitySettings, context: Context) -> None:
    from backmarket.operators.inventory_planning import plan_quantities

    plan_quantities(
        upload.connection,
        upload.account,
        settings,
        now=datetime.now(UTC),
        run_id=context["run_id"],
        allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
    )
