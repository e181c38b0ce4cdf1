"""A write of a listing that was there a moment ago, and that Back Market turns away without judging what was sent."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import BackMarketError, NotFoundError, RefusedError, ServerError
from backmarket.services.item_failures import MOST_IN_A_ROW, ItemFailures
from backmarket.services.price_batches import PriceBatches
from backmarket.services.prices import PriceSending
from backmarket.services.quantities import send_quantities
from backmarket.settings import QuantitySettings
from backmarket.warehouse.ledger import PlannedChange

if TYPE_CHECKING:
    from backmarket.services.offers import OfferSending
    from sandbox.remote import Sandbox

AT_ONCE = timedelta(0)
NOT_FOUND = NotFoundError(status=404)
LOCKED = RefusedError(status=423)
EARLIER = timedelta(hours=1)


def _plan_quantities(upload: OfferSending, listings: list[dict[str, Any]]) -> None:
    """Plan one unit more of each listing."""
    planned = [
        PlannedChange(each["sku"], {"id": each["id"], "quantity": each["quantity"] + 1, "shown": each["quantity"]})
        for each in listings
    ]
    upload.quantities.plan(planned, run_id="r")


def _send(upload: OfferSending) -> None:
    send_quantities(upload, QuantitySettings(), run_id="r", allow_mass_zero=True, prices_too=False, in_flight=AT_ONCE)


@pytest.mark.parametrize("error", [NOT_FOUND, LOCKED])
def test_a_quantity_that_is_turned_away_unjudged_waits_is_named_and_goes_in_the_next_run(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, error: BackMarketError
) -> None:
    """Refused, it would be barred for a day although the listing is there; all others go."""
    sick, healthy = sandbox.listings()[:2]
    _plan_quantities(upload, [sick, healthy])
    real = BackMarketClient.update_listing

    def update(self: BackMarketClient, listing_id: Any, market: str, **fields: Any) -> Any:
        if str(listing_id) == sick["id"]:
            raise error
        return real(self, listing_id, market, **fields)

    with monkeypatch.context() as patched:
        patched.setattr(BackMarketClient, "update_listing", update)
        _send(upload)
    assert upload.not_sent() == [sick["sku"]]
    assert upload.counts["confirmed"] == 1
    assert upload.counts["refused"] == 0
    assert [change.subject for change in upload.quantities.planned()] == [sick["sku"]]
    assert upload.quantities.refusals(since=datetime.now(UTC) - EARLIER).payloads == {}
    _send(upload)
    assert upload.not_sent() == []
    assert upload.quantities.planned() == []


def test_a_price_that_is_not_found_once_waits_and_is_named(upload: OfferSending, sandbox: Sandbox) -> None:
    """In its market, as a quantity; the next run sends it."""
    listing = next(each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price"))
    amount = str(Decimal(listing["offers"]["fr-fr"]["price"]) - 1)
    payload = {"id": listing["id"], "price": amount, "currency": "EUR"}
    upload.prices.plan([PlannedChange(listing["sku"], payload, "fr-fr")], run_id="r")
    fault = sandbox.fault("404", method="POST", listing=listing["id"], times=None)
    batches = PriceBatches(upload.connection, "default", upload.client, timedelta(hours=1), upload.log)
    assert PriceSending(upload, batches).send(AT_ONCE)["not_sent"] == [f"{listing['sku']} fr-fr"]
    assert [change.subject for change in upload.prices.planned()] == [listing["sku"]]
    sandbox.remove_fault(fault["id"])
    counts = PriceSending(upload, batches).send(AT_ONCE)
    assert (counts["confirmed"], counts["not_sent"]) == (1, [])


def test_a_quantity_and_a_price_that_are_not_found_together_both_wait(upload: OfferSending, sandbox: Sandbox) -> None:
    """Neither is refused; apart, too, nothing is asked of a listing that is not found."""
    listing = next(each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price"))
    _plan_quantities(upload, [listing])
    amount = str(Decimal(listing["offers"]["fr-fr"]["price"]) - 1)
    payload = {"id": listing["id"], "price": amount, "currency": "EUR"}
    upload.prices.plan([PlannedChange(listing["sku"], payload, "fr-fr")], run_id="r")
    sandbox.fault("404", method="POST", times=None)
    (quantity,), (price,) = upload.quantities.planned(), upload.prices.planned()
    assert upload.send_quantity(quantity, price) == "left"
    assert len(sandbox.journal("POST", "/ws/listings/")) == 1
    assert len(upload.quantities.planned()) == len(upload.prices.planned()) == 1


def test_where_no_write_is_found_any_more_the_task_stops(upload: OfferSending, sandbox: Sandbox) -> None:
    """Five in a row and the last one: a gateway that has lost its way takes no line of the hour from other concerns."""
    listings = sandbox.listings()
    _plan_quantities(upload, listings)
    sandbox.fault("404", method="POST", times=None)
    with pytest.raises(NotFoundError):
        _send(upload)
    assert len(sandbox.journal("POST", "/ws/listings/")) == MOST_IN_A_ROW + 1 < len(listings)
    assert len(upload.quantities.planned()) == len(listings)


def _asked(error: BackMarketError, *, was_there: bool) -> list[int]:
    """Return which of twenty items are asked for where the third ends with an error, and the others with 500."""
    failures, asked = ItemFailures(), []
    with suppress(ServerError):
        for item in failures.each(list(range(20))):
            asked.append(item)
            failures.note(str(item), error if item == 2 else ServerError(status=500), was_there=was_there)
    return asked


@pytest.mark.parametrize("error", [NOT_FOUND, LOCKED])
def test_what_is_no_verdict_ends_no_row_of_failures(error: BackMarketError) -> None:
    """A 404 among errors of Back Market's own does not tell that it is well again: it is one of them."""
    assert _asked(error, was_there=True) == [0, 1, 2, 3, 4, 19]


def test_an_item_that_is_not_found_says_nothing_of_an_outage() -> None:
    """As where a list shows what its id does not find: neither that all is well, nor that all will fail."""
    assert _asked(NOT_FOUND, was_there=False) == [0, 1, 2, 3, 4, 5, 19]


def test_a_verdict_ends_a_row_of_failures() -> None:
    """Back Market has looked at what was sent."""
    assert _asked(RefusedError(status=400), was_there=True) == [0, 1, 2, 3, 4, 5, 6, 7, 19]
