"""Quantities sent to a running Back Market, and settled in a real PostgreSQL, without a DAG around them."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from backmarket.api.client import BackMarketClient
from backmarket.api.errors import ServerError, ThrottledError
from backmarket.operators.inventory_prices import (
    BackMarketInventoryListingRefreshOperator,
    BackMarketOfferRefreshOperator,
)
from backmarket.rules.hidden_sales import SOON
from backmarket.services.offers import OfferSending, settle_by_readings
from backmarket.services.price_batches import PriceBatches
from backmarket.services.prices import PriceSending
from backmarket.services.quantities import send_quantities
from backmarket.settings import QuantitySettings
from backmarket.warehouse.inventory_prices import (
    Reading,
    compare_readings,
    record_sent_quantity,
    record_shown_quantities,
)
from backmarket.warehouse.ledger import PlannedChange, RecordedChange
from backmarket.warehouse.listings import store_readings
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from backmarket.api.models import Listing
    from backmarket.services.offers import Outcome
    from sandbox.remote import Sandbox

LOG = logging.getLogger(__name__)
HOLD = timedelta(hours=48)
AT_ONCE = timedelta(0)


def _plan(upload: OfferSending, *changes: tuple[str, str, int, int]) -> list[RecordedChange]:
    """Plan quantities: SKU, listing, units shown and units wanted of each."""
    planned = [
        PlannedChange(sku, {"id": listing_id, "quantity": units, "shown": shown})
        for sku, listing_id, shown, units in changes
    ]
    upload.quantities.plan(planned, run_id="r")
    return upload.quantities.planned()


def _price_change(listing: dict[str, Any]) -> PlannedChange:
    """One euro less in France."""
    amount = Decimal(listing["offers"]["fr-fr"]["price"]) - 1
    payload = {"id": listing["id"], "price": str(amount), "currency": "EUR"}
    return PlannedChange(listing["sku"], payload, "fr-fr")


def _plan_price(upload: OfferSending, sandbox: Sandbox) -> tuple[RecordedChange, Decimal]:
    """Plan a price of one listing, and return what was planned and the price."""
    listing = next(each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price"))
    upload.prices.plan([_price_change(listing)], run_id="r")
    (change,) = upload.prices.planned()
    return change, Decimal(change.payload["price"])


def _plan_quantity_and_price(upload: OfferSending, sandbox: Sandbox) -> tuple[dict[str, Any], Decimal]:
    """Plan five more units of one listing and another price, and return both listing and price."""
    change, amount = _plan_price(upload, sandbox)
    listing = next(each for each in sandbox.listings() if each["sku"] == change.subject)
    _plan(upload, (listing["sku"], listing["id"], listing["quantity"], listing["quantity"] + 5))
    return listing, amount


def _answer_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Back Market answer writes with 200 and the listing as it is."""

    def update(self: BackMarketClient, listing_id: UUID, market: str, **_: object) -> Listing:
        return self.get_listing(listing_id, market)

    monkeypatch.setattr(BackMarketClient, "update_listing", update)


def _all(warehouse: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query.encode()).fetchall()


@pytest.mark.parametrize("fault", ["reset_before", "500", "502_html", None])
def test_a_quantity_that_arrives_after_it_was_read_back_is_known_as_ours(
    upload: OfferSending,
    sandbox: Sandbox,
    warehouse: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    fault: str | None,
) -> None:
    """One unit of it is sold before the next reading: that unit is held, and nobody else is blamed for the rise."""
    listing = sandbox.listings()[0]
    sku, shown = listing["sku"], listing["quantity"]
    (change,) = _plan(upload, (sku, listing["id"], shown, shown + 5))
    if fault:
        sandbox.fault(fault, method="POST")
    else:
        _answer_without_effect(monkeypatch)
    assert upload.send_quantity(change, None) == "unknown"
    sandbox.patch_listing(sku, quantity=shown + 4)
    assert upload.read_unseen_again(AT_ONCE)
    assert _all(warehouse, "select units from backmarket.listing_drops") == [(1,)]
    assert _all(warehouse, "select * from backmarket.inventory_findings") == []


def _raise_while_another_run_reads(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, sold: int
) -> tuple[dict[str, Any], Outcome]:
    """Show five more units and lose the answer; give the listing as it was, and what became of the change.

    Another run reads the listing as it was before; it begins later, and stores that before we read back.

    :param sold: how many units are sold between its reading and ours.
    """
    listing = sandbox.listings()[0]
    before = upload.read(UUID(listing["id"]), "fr-fr")
    (change,) = _plan(upload, (listing["sku"], listing["id"], before.quantity, before.quantity + 5))
    read = BackMarketClient.get_listing

    def read_meanwhile(self: BackMarketClient, listing_id: UUID, market: str) -> Listing:
        if sandbox.journal("POST", "/ws/listings"):
            now = datetime.now(UTC)
            store_readings(upload.connection, "default", market, [before], read_at=now)
            reading = Reading(listing_id, listing["sku"], before.quantity, now)
            compare_readings(upload.connection, "default", [reading], {}, since=now - HOLD, now=now)
            sandbox.patch_listing(listing["sku"], quantity=before.quantity + 5 - sold)
        return read(self, listing_id, market)

    sandbox.fault("reset_after", method="POST")
    with monkeypatch.context() as patch:
        patch.setattr(BackMarketClient, "get_listing", read_meanwhile)
        return listing, upload.send_quantity(change, None)


def test_a_quantity_seen_after_its_answer_was_lost_is_what_the_listing_shows(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever another run has just read: what is sold of it then is seen."""
    listing, outcome = _raise_while_another_run_reads(upload, sandbox, monkeypatch, sold=0)
    assert outcome == "confirmed"
    shown = _all(warehouse, f"select quantity from backmarket.listings where id = '{listing['id']}'")
    assert shown == [(listing["quantity"] + 5,)]
    sandbox.patch_listing(listing["sku"], quantity=listing["quantity"])
    upload.read(UUID(listing["id"]), "fr-fr")
    assert _all(warehouse, "select units from backmarket.listing_drops") == [(5,)]


def test_what_another_run_reads_before_a_quantity_arrives_hides_no_unit_that_is_sold_of_it(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being sent stays known until its sender has settled it."""
    _, outcome = _raise_while_another_run_reads(upload, sandbox, monkeypatch, sold=1)
    assert outcome == "unknown"
    assert _all(warehouse, "select units from backmarket.listing_drops") == [(1,)]
    assert _all(warehouse, "select * from backmarket.inventory_findings") == []


def test_a_quantity_that_never_arrived_is_sent_again_by_the_same_run_and_holds_nothing(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any]
) -> None:
    """It is read back once more; left to a later run, its units would count as applied and sold meanwhile."""
    listing = sandbox.listings()[0]
    shown = listing["quantity"]
    (change,) = _plan(upload, (listing["sku"], listing["id"], shown, shown + 5))
    sandbox.fault("reset_before", method="POST")
    upload.send_quantity(change, None)
    assert upload.read_unseen_again(AT_ONCE)
    (again,) = upload.quantities.planned()
    assert upload.send_quantity(again, None) == "confirmed"
    assert not upload.read_unseen_again(AT_ONCE)
    assert upload.failures.failed == {}
    assert _all(warehouse, "select * from backmarket.listing_drops") == []


@pytest.mark.parametrize("by_a_later_run", [False, True])
def test_a_quantity_that_turns_out_not_to_have_arrived_holds_nothing_later(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], *, by_a_later_run: bool
) -> None:
    """Whoever settles it forgets it, also where it is not sent again: the old figure is then what the listing shows."""
    listing = sandbox.listings()[0]
    listing_id, shown = UUID(listing["id"]), listing["quantity"]
    (change,) = _plan(upload, (listing["sku"], listing["id"], shown, shown + 5))
    sandbox.fault("reset_before", method="POST")
    upload.send_quantity(change, None)
    if by_a_later_run:
        readings = {(listing["id"], ""): (shown, datetime.now(UTC))}
        counts = settle_by_readings(upload.quantities, upload.quantities.unsettled(), readings)
        assert counts["planned_again"] == 1
    else:
        assert upload.read_unseen_again(AT_ONCE)
    later = datetime.now(UTC) + 2 * SOON
    reading = Reading(listing_id, listing["sku"], shown, later)
    compare_readings(warehouse, "default", [reading], {}, since=later - HOLD, now=later)
    assert _all(warehouse, "select * from backmarket.listing_drops") == []


@pytest.mark.parametrize("fault", ["500", "reset_before"])
def test_a_price_without_a_usable_answer_is_read_back_once_it_must_have_arrived(
    upload: OfferSending, sandbox: Sandbox, fault: str
) -> None:
    """Not sent again at once, when it may still come after the newer one; nor left to a run that plans another."""
    change, _ = _plan_price(upload, sandbox)
    sandbox.fault(fault, method="POST")
    assert upload.send_price(change) == "unknown"
    assert upload.prices.planned() == []
    batches = PriceBatches(upload.connection, "default", upload.client, HOLD, LOG)
    sending = PriceSending(upload, batches)
    sending._failures["fr-fr"] = upload.failures
    counts = sending.send(AT_ONCE)
    assert counts["not_sent"] == []
    assert len(sandbox.journal("POST", "/ws/listings")) == 2
    ((status,),) = _all(upload.connection, "select status from backmarket.changes")
    assert status == "confirmed"


def test_where_all_writes_fail_quantities_are_read_back_before_the_task_ends(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any]
) -> None:
    """Read by a later run alone, what was being added would be held as applied and sold since."""
    listings = sandbox.listings()[:8]
    _plan(upload, *((each["sku"], each["id"], each["quantity"], each["quantity"] + 5) for each in listings))
    sandbox.fault("500", method="POST", times=None)
    with pytest.raises(ServerError):
        send_quantities(
            upload, QuantitySettings(), run_id="r", allow_mass_zero=False, prices_too=False, in_flight=AT_ONCE
        )
    assert set(_all(warehouse, "select status from backmarket.changes")) == {("planned",)}
    assert _all(warehouse, "select * from backmarket.listing_drops") == []


def test_a_quantity_planned_over_what_no_longer_shows_is_planned_anew(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any]
) -> None:
    """A unit was sold since the plan; and of a change that an earlier version planned, what showed is not known."""
    listing = sandbox.listings()[0]
    sku, shown = listing["sku"], listing["quantity"]
    (change,) = _plan(upload, (sku, listing["id"], shown + 1, shown + 5))
    assert upload.send_quantity(change, None) == "again"
    upload.quantities.plan([PlannedChange(sku, {"id": listing["id"], "quantity": shown + 5})], run_id="earlier")
    (change,) = upload.quantities.planned()
    assert upload.send_quantity(change, None) == "again"
    assert sandbox.journal("POST", "/ws/listings") == []


def test_what_another_run_planned_otherwise_is_not_sent_as_it_was(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any]
) -> None:
    """Sent as it was, and confirmed, the ledger would tell of a quantity that was never shown."""
    listing = sandbox.listings()[0]
    shown = listing["quantity"]
    (old,) = _plan(upload, (listing["sku"], listing["id"], shown, shown + 5))
    _plan(upload, (listing["sku"], listing["id"], shown, shown + 1))
    upload.send_quantity(old, None)
    assert sandbox.journal("POST", "/ws/listings") == []
    assert _all(warehouse, "select status, payload ->> 'quantity' from backmarket.changes") == [
        ("planned", str(shown + 1))
    ]


def test_listings_are_read_once_what_was_sent_last_must_have_arrived(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was killed after its POST left; the POST takes effect while the next run waits, and is not sent again."""
    listing = sandbox.listings()[0]
    (change,) = _plan(upload, (listing["sku"], listing["id"], listing["quantity"], listing["quantity"] + 5))
    upload.quantities.mark_sent([change])
    waited: list[float] = []

    def arrive(seconds: float) -> None:
        waited.append(seconds)
        sandbox.patch_listing(listing["sku"], quantity=listing["quantity"] + 5)

    connect(sandbox, monkeypatch)
    monkeypatch.setenv("AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS", "30")
    monkeypatch.setattr(time, "sleep", arrive)
    # The lists name Back Market's time in whole seconds.
    sandbox.advance_clock(2)
    counts = BackMarketInventoryListingRefreshOperator(task_id="listing_refresh").execute({})
    assert (counts["confirmed"], counts["planned_again"]) == (1, 0)
    assert len(waited) == 1
    assert 25 < waited[0] <= 30


def test_a_price_is_read_once_what_was_sent_last_must_have_arrived(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before, it would be planned anew and sent, and the old price could land on the new one."""
    change, amount = _plan_price(upload, sandbox)
    upload.prices.mark_sent([change])
    waited: list[float] = []

    def arrive(seconds: float) -> None:
        waited.append(seconds)
        upload.client.update_listing(UUID(change.payload["id"]), "fr-fr", price=amount)

    connect(sandbox, monkeypatch)
    began = datetime.now(UTC)
    # The quantities' task has read the home market, before what was sent has arrived.
    BackMarketInventoryListingRefreshOperator(task_id="listing_refresh").execute({})
    monkeypatch.setenv("AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS", "30")
    monkeypatch.setattr(time, "sleep", arrive)
    # The lists name Back Market's time in whole seconds.
    sandbox.advance_clock(2)
    counts = BackMarketOfferRefreshOperator(task_id="offer_refresh").execute(
        {"dag_run": SimpleNamespace(start_date=began)}
    )
    assert len(waited) == 1
    assert (counts["confirmed"], counts["planned_again"], counts["unsettled"]) == (1, 0, 0)


def test_a_price_that_another_run_is_sending_now_is_settled_by_that_run(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request hangs: taken for a killed run's, it would be planned anew, and land on the newer price."""
    change, amount = _plan_price(upload, sandbox)
    left, may_arrive = threading.Event(), threading.Event()
    real = BackMarketClient.update_listing

    def hang(self: BackMarketClient, listing_id: UUID, market: str, **fields: Any) -> Listing | None:
        left.set()
        may_arrive.wait(60)
        return real(self, listing_id, market, **fields)

    monkeypatch.setattr(BackMarketClient, "update_listing", hang)
    connect(sandbox, monkeypatch)
    # The lists name Back Market's time in whole seconds.
    sandbox.advance_clock(2)
    with ThreadPoolExecutor() as threads:
        sending = threads.submit(upload.send_price, change)
        assert left.wait(60)
        threading.Timer(1, may_arrive.set).start()
        counts = BackMarketOfferRefreshOperator(task_id="offer_refresh").execute(
            {"dag_run": SimpleNamespace(start_date=datetime.now(UTC))}
        )
        assert sending.result() == "confirmed"
    assert (counts["confirmed"], counts["planned_again"], counts["unsettled"]) == (0, 0, 0)
    statuses = "select status, (payload ->> 'price')::numeric from backmarket.changes"
    assert _all(upload.connection, statuses) == [("confirmed", amount)]


def test_a_price_that_is_sent_while_an_older_one_is_waited_for_is_left_alone(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has waited for it: that the market does not show it says nothing."""
    first, second = [each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price")][:2]
    upload.prices.plan([_price_change(first), _price_change(second)], run_id="r")
    killed, other = upload.prices.planned()
    upload.prices.mark_sent([killed])
    connect(sandbox, monkeypatch)
    monkeypatch.setenv("AIRFLOW__BACKMARKET__IN_FLIGHT_SECONDS", "30")
    monkeypatch.setattr(time, "sleep", lambda _: upload.prices.mark_sent([other]))
    sandbox.advance_clock(2)
    counts = BackMarketOfferRefreshOperator(task_id="offer_refresh").execute(
        {"dag_run": SimpleNamespace(start_date=datetime.now(UTC))}
    )
    assert (counts["confirmed"], counts["planned_again"]) == (0, 1)
    statuses = "select subject, status from backmarket.changes"
    assert dict(_all(upload.connection, statuses)) == {killed.subject: "planned", other.subject: "sent"}


def test_a_price_that_another_run_has_settled_and_sends_again_is_not_read_back(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have waited for the lost answer; the other one was first, and its request is on its way."""
    change, _ = _plan_price(upload, sandbox)
    sandbox.fault("reset_before", method="POST")
    assert upload.send_price(change) == "unknown"

    def send_again(_: float) -> None:
        upload.prices.settle([change.change_id], "planned", "not seen on Back Market after an answer was lost")
        upload.prices.mark_sent(upload.prices.planned())

    monkeypatch.setattr(time, "sleep", send_again)
    assert not upload.read_unseen_again(timedelta(seconds=30))
    assert _all(upload.connection, "select status from backmarket.changes") == [("sent",)]
    assert upload.failures.failed == {}


def test_what_is_answered_and_never_takes_effect_is_named(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of stock, and still on sale after all tries of a run: the run must not stay green."""
    first, second = [each for each in sandbox.listings() if each["quantity"] > 0][:2]
    for each in (first, second):
        warehouse.execute(
            "insert into seller.stock (sku, quantity, counted_at) values (%s, %s, now())", [each["sku"], 0]
        )
    wanted = [(each["sku"], each["id"], each["quantity"], 0) for each in (first, second)]
    real = BackMarketClient.update_listing

    def update(self: BackMarketClient, listing_id: UUID, market: str, **fields: Any) -> Listing | None:
        if str(listing_id) == first["id"]:
            return self.get_listing(listing_id, market)
        return real(self, listing_id, market, **fields)

    monkeypatch.setattr(BackMarketClient, "update_listing", update)
    _plan(upload, *wanted)
    send_quantities(upload, QuantitySettings(), run_id="r", allow_mass_zero=True, prices_too=False, in_flight=AT_ONCE)
    assert upload.not_sent() == [first["sku"]]
    statuses = "select subject, status from backmarket.changes where status in ('planned', 'confirmed')"
    assert dict(_all(warehouse, statuses)) == {first["sku"]: "planned", second["sku"]: "confirmed"}


def test_a_price_that_shows_later_than_its_quantity_is_not_named(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both went in one request; once both are confirmed, nothing waits for the next run."""
    listing, amount = _plan_quantity_and_price(upload, sandbox)
    real = BackMarketClient.update_listing

    def update(self: BackMarketClient, listing_id: UUID, market: str, **fields: Any) -> Listing | None:
        return real(self, listing_id, market, quantity=fields["quantity"])

    def arrive(*_: object) -> None:
        real(upload.client, UUID(listing["id"]), "fr-fr", price=amount)

    monkeypatch.setattr(BackMarketClient, "update_listing", update)
    monkeypatch.setattr("backmarket.services.offers.let_arrive", arrive)
    send_quantities(upload, QuantitySettings(), run_id="r", allow_mass_zero=True, prices_too=True, in_flight=AT_ONCE)
    assert _all(warehouse, "select kind, status from backmarket.changes order by 1") == [
        ("price", "confirmed"),
        ("quantity", "confirmed"),
    ]
    assert upload.not_sent() == []


@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_a_quantity_and_a_price_of_one_listing_go_together_however_their_skus_are_spelled(
    upload: OfferSending, sandbox: Sandbox, spell: Callable[[str], str]
) -> None:
    """The stock of a seller may name ab-1 and the prices AB-1: that is one request, as where both do alike."""
    change, amount = _plan_price(upload, sandbox)
    listing = next(each for each in sandbox.listings() if each["sku"] == change.subject)
    _plan(upload, (spell(listing["sku"]), listing["id"], listing["quantity"], listing["quantity"] + 5))
    send_quantities(upload, QuantitySettings(), run_id="r", allow_mass_zero=True, prices_too=True, in_flight=AT_ONCE)
    (write,) = sandbox.journal("POST", "/ws/listings/")
    assert (write["body"]["quantity"], Decimal(write["body"]["price"])) == (listing["quantity"] + 5, amount)
    assert upload.quantities.planned() == upload.prices.planned() == []


@pytest.mark.parametrize("is_read", [True, False])
def test_a_price_that_had_no_effect_beside_its_quantity_is_for_the_prices_to_tell(
    upload: OfferSending,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    is_read: bool,
) -> None:
    """It is planned, and sent by the next task; named only where it cannot be read back, so that a later run has to."""
    listing, _ = _plan_quantity_and_price(upload, sandbox)
    real = BackMarketClient.update_listing

    def update(self: BackMarketClient, listing_id: UUID, market: str, **fields: Any) -> Listing | None:
        return real(self, listing_id, market, quantity=fields["quantity"])

    def arrive(*_: object) -> None:
        if not is_read:
            sandbox.fault("500", method="GET", times=None)

    monkeypatch.setattr(BackMarketClient, "update_listing", update)
    monkeypatch.setattr("backmarket.services.offers.let_arrive", arrive)
    (change,), (price,) = upload.quantities.planned(), upload.prices.planned()
    upload.send_quantity(change, price)
    assert upload.read_unseen_again(AT_ONCE) is is_read
    assert upload.not_sent() == ([] if is_read else [f"{listing['sku']} fr-fr"])


def test_a_quantity_of_which_one_sells_before_its_answer_is_not_named(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer shows one less; so does what is planned then, and nothing is left to be sent."""
    listing = sandbox.listings()[0]
    sku, wanted = listing["sku"], listing["quantity"] + 5
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values (%s, %s, now())", [sku, wanted])
    _plan(upload, (sku, listing["id"], listing["quantity"], wanted))
    real = BackMarketClient.update_listing

    def update(self: BackMarketClient, listing_id: UUID, market: str, **fields: Any) -> Listing | None:
        real(self, listing_id, market, **fields)
        sandbox.patch_listing(sku, quantity=wanted - 1)
        return self.get_listing(listing_id, market)

    monkeypatch.setattr(BackMarketClient, "update_listing", update)
    send_quantities(upload, QuantitySettings(), run_id="r", allow_mass_zero=True, prices_too=False, in_flight=AT_ONCE)
    assert _all(warehouse, "select shown, wanted from backmarket.inventory") == [(wanted - 1, wanted - 1)]
    assert upload.quantities.planned() == []
    assert upload.not_sent() == []


def test_after_an_outage_all_prices_are_read_back(
    upload: OfferSending, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that can be read ends it: the others are not left to the next run."""
    priced = [each for each in sandbox.listings() if (each["offers"].get("fr-fr") or {}).get("price")][:8]
    upload.prices.plan(
        [
            PlannedChange(each["sku"], {"id": each["id"], "price": "1.00", "currency": "EUR"}, "fr-fr")
            for each in priced
        ],
        run_id="r",
    )
    monkeypatch.setattr(PriceBatches, "choose", lambda *_: [])
    sandbox.fault("500", method="POST", times=None)
    counts = PriceSending(upload, PriceBatches(upload.connection, "default", upload.client, HOLD, LOG)).send(AT_ONCE)
    assert counts["markets_left"] == ["fr-fr"]
    assert len(counts["not_sent"]) > 5
    assert upload.prices.unsettled() == []
    assert len(upload.prices.planned()) == len(priced)


@pytest.mark.parametrize("kind", ["quantity", "price"])
def test_a_lost_answer_about_a_listing_that_is_gone_pins_its_sku_no_more(
    upload: OfferSending, warehouse: psycopg.Connection[Any], kind: str
) -> None:
    """It came back under another id: a change of that is planned, once what was in flight has arrived."""
    old, new = uuid4(), uuid4()
    for listing_id, gone in ((old, True), (new, False)):
        warehouse.execute(
            "insert into backmarket.listings "
            "(account, id, sku, title_market, quantity, first_seen_at, read_at, gone_at) "
            "values ('default', %s, 'A', 'fr-fr', 1, now(), now(), case when %s then now() end)",
            [listing_id, gone],
        )
    ledger = upload.quantities if kind == "quantity" else upload.prices
    market = "" if kind == "quantity" else "fr-fr"
    payload = {"quantity": 0, "price": "9.00", "currency": "EUR"}
    ledger.plan([PlannedChange("A", {**payload, "id": str(old)}, market)], run_id="r")
    ledger.settle(ledger.mark_sent(ledger.planned()), "unknown", "no answer")
    counts = settle_by_readings(ledger, ledger.unsettled(), {(str(new), market): (1, datetime.now(UTC))})
    assert (counts["superseded"], counts["unsettled"]) == (1, 0)
    ledger.plan([PlannedChange("A", {**payload, "id": str(new)}, market)], run_id="r")
    assert [change.payload["id"] for change in ledger.planned()] == [str(new)]


def test_listings_that_are_listed_and_not_found_are_left_and_no_outage(
    upload: OfferSending,
    sandbox: Sandbox,
    warehouse: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Six of them at the head of the queue: the seventh goes in its turn, they are named, and the ledger says why."""
    listing = sandbox.listings()[0]
    absent = [f"ABSENT-{number}" for number in range(6)]
    healthy = (listing["sku"], listing["id"], listing["quantity"], listing["quantity"] + 1)
    changes = _plan(upload, *((sku, str(uuid4()), 1, 0) for sku in absent), healthy)
    outcomes = [upload.send_quantity(change, None) for change in upload.failures.each(changes)]
    assert outcomes == ["left"] * 6 + ["confirmed"]
    assert list(upload.failures.failed) == absent
    reasons = _all(warehouse, "select subject, reason from backmarket.changes where status = 'planned' order by 1")
    assert [sku for sku, _ in reasons] == absent
    assert all("does not find it by its id" in reason for _, reason in reasons)
    assert upload.log_waiting(upload.quantities) == 6
    assert "6 quantities stay planned" in caplog.text
    assert "SKU lines are free" not in caplog.text


@pytest.mark.parametrize(("age", "drops"), [(timedelta(hours=47), [(8,)]), (timedelta(hours=49), [])])
def test_what_a_listing_was_created_with_is_compared_within_the_hold_only(
    warehouse: psycopg.Connection[Any], age: timedelta, drops: list[tuple[int]]
) -> None:
    """Units sold from a listing before its first reading are held; not those of months in which nobody looked."""
    now = datetime.now(UTC)
    warehouse.execute(
        "insert into backmarket.changes (account, kind, subject, payload, status, run_id, sent_at) "
        "values ('default', 'listing', 'A-1', %s, 'confirmed', 'r', %s)",
        ['{"columns": {"quantity": "10"}}', now - age],
    )
    compare_readings(warehouse, "default", [Reading(uuid4(), "A-1", 2, now)], {}, since=now - HOLD, now=now)
    assert _all(warehouse, "select units from backmarket.listing_drops") == drops


@pytest.mark.parametrize(
    ("status", "attempts", "drops"),
    [
        ("sent", 1, [(8,)]),
        ("planned", 1, [(8,)]),
        ("superseded", 1, [(8,)]),
        ("refused", 2, [(8,)]),
        ("refused", 1, []),
    ],
)
def test_a_creation_that_may_have_been_applied_counts_as_ours(
    warehouse: psycopg.Connection[Any], status: str, attempts: int, drops: list[tuple[int]]
) -> None:
    """However it ended: only what was refused the one time that it was sent made no listing."""
    now = datetime.now(UTC)
    warehouse.execute(
        "insert into backmarket.changes (account, kind, subject, payload, status, attempts, run_id, sent_at) "
        "values ('default', 'listing', 'A-1', %s, %s, %s, 'r', %s)",
        ['{"columns": {"quantity": "10"}}', status, attempts, now - timedelta(hours=1)],
    )
    compare_readings(warehouse, "default", [Reading(uuid4(), "A-1", 2, now)], {}, since=now - HOLD, now=now)
    assert _all(warehouse, "select units from backmarket.listing_drops") == drops


@pytest.mark.parametrize(("fault", "amount"), [("429_html", "99.00"), (None, "-1.00")])
def test_a_price_that_fails_takes_nothing_back_of_a_quantity(
    upload: OfferSending, sandbox: Sandbox, warehouse: psycopg.Connection[Any], fault: str | None, amount: str
) -> None:
    """The quantity of that listing has no answer yet: forgotten, a sale of it would be taken for units from outside."""
    listing = sandbox.listings()[0]
    record_shown_quantities(warehouse, "default", [(UUID(listing["id"]), 3, datetime.now(UTC))])
    record_sent_quantity(warehouse, "default", UUID(listing["id"]), 8)
    payload = {"id": listing["id"], "price": amount, "currency": "EUR"}
    upload.prices.plan([PlannedChange(listing["sku"], payload, "fr-fr")], run_id="r")
    if fault:
        sandbox.fault(fault, method="POST", times=None)
    (price,) = upload.prices.planned()
    with suppress(ThrottledError):
        upload.send_price(price)
    assert _all(warehouse, "select status from backmarket.changes") == [("planned" if fault else "refused",)]
    assert _all(warehouse, "select sent_quantity from backmarket.listing_baselines") == [(8,)]
