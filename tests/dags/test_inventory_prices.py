"""``backmarket_inventory_prices`` inside Airflow, against a running Back Market and a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from backmarket.services.offers import OfferSending, Update

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

UPLOADS = ("inventory_upload", "prices_upload")


@pytest.fixture
def upload(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run the DAG with both toggles on, and no limit on how old a count may be."""
    switch_on(*UPLOADS)
    return lambda **conf: run_dag("backmarket_inventory_prices", **conf)


def stock(database: psycopg.Connection[Any], quantities: dict[str, int], *, age: timedelta = timedelta(0)) -> None:
    """Fill seller.stock."""
    for sku, quantity in quantities.items():
        database.execute(
            "insert into seller.stock (sku, quantity, counted_at) values (%s, %s, %s) "
            "on conflict (account, sku) do update set "
            "quantity = excluded.quantity, counted_at = excluded.counted_at",
            [sku, quantity, datetime.now(UTC) - age],
        )


def price(database: psycopg.Connection[Any], sku: str, amount: str, currency: str = "EUR") -> None:
    """Fill seller.prices of the home market."""
    database.execute(
        "insert into seller.prices (sku, market, price, currency) values (%s, %s, %s, %s) "
        "on conflict (account, sku, market) do update set price = excluded.price",
        [sku, "fr-fr", amount, currency],
    )


def shown(sandbox: Sandbox) -> dict[str, int]:
    """What Back Market truly shows."""
    return {listing["sku"]: listing["quantity"] for listing in sandbox.listings()}


def offered(sandbox: Sandbox, sku: str, market: str = "fr-fr") -> Decimal:
    """The true price of a SKU."""
    (listing,) = [listing for listing in sandbox.listings() if listing["sku"] == sku]
    return Decimal(listing["offers"][market]["price"])


def all_of(database: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    return database.execute(query.encode()).fetchall()


def posts(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Writes that reached Back Market."""
    return sandbox.journal("POST", "/ws/listings")


def priced(sandbox: Sandbox, most: int = 5) -> list[str]:
    """SKUs that have a price in the home market with room above it."""
    return [
        listing["sku"]
        for listing in sandbox.listings()
        if (offer := listing["offers"].get("fr-fr"))
        and offer["price"]
        and Decimal(offer["price"]) * Decimal("1.02") < Decimal(offer["max_price"])
    ][:most]


def test_quantities_become_the_plan_and_a_second_run_sends_nothing(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Each listing shows its stock; unchanged stock makes no write; a SKU without stock is left alone."""
    before = shown(connected)
    *stocked, left_alone = before
    stock(database, {sku: place % 6 for place, sku in enumerate(stocked)})
    run = upload(allow_mass_zero=True)
    assert run.state == "success", run.tasks
    after = shown(connected)
    assert {sku: after[sku] for sku in stocked} == {sku: place % 6 for place, sku in enumerate(stocked)}
    assert after[left_alone] == before[left_alone]
    missing = all_of(database, "select sku from backmarket.inventory_findings where kind = 'stock_missing'")
    assert missing == [(left_alone,)]
    assert len(posts(connected)) > 10
    connected.clear_journal()
    assert upload().state == "success"
    assert posts(connected) == []
    assert {status for (status,) in all_of(database, "select status from backmarket.changes")} == {"confirmed"}


def test_prices_go_out_and_wrong_ones_are_refused(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A good price arrives to the cent; a wrong currency and a price above the maximum are refused with a reason."""
    good, wrong, high, *_ = priced(connected)
    wanted = (offered(connected, good) * Decimal("1.01")).quantize(Decimal("0.01"))
    price(database, good, str(wanted))
    price(database, wrong, "100", "GBP")
    price(database, high, "99999")
    assert upload().state == "success"
    assert offered(connected, good) == wanted
    refusals = dict(all_of(database, "select subject, reason from backmarket.changes where status = 'refused'"))
    assert "currency GBP" in refusals[wrong]
    assert "max_price" in refusals[high]
    connected.clear_journal()
    upload()
    assert posts(connected) == []
    assert len(all_of(database, "select * from backmarket.changes")) == 3


def test_quantity_and_home_price_share_a_request(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """One POST carries both, and confirms both."""
    sku = priced(connected)[0]
    stock(database, {sku: shown(connected)[sku] + 3})
    price(database, sku, str((offered(connected, sku) * Decimal("1.01")).quantize(Decimal("0.01"))))
    upload()
    assert len(posts(connected)) == 1
    rows = all_of(database, "select kind, status from backmarket.changes order by kind")
    assert rows == [("price", "confirmed"), ("quantity", "confirmed")]


def test_a_price_of_an_earlier_plan_does_not_go_along(
    upload: Callable[..., Run],
    switch_on: Callable[..., None],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """Prices cannot be planned in this run: the quantity goes alone, and the price waits for a plan that has it."""
    listing = connected.listings()[0]
    stock(database, {listing["sku"]: listing["quantity"] + 1})
    payload = {"id": listing["id"], "price": "1.00", "currency": "EUR"}
    database.execute(
        "insert into backmarket.changes (account, kind, subject, market, payload, status, run_id) "
        "values ('default', 'price', %s, 'fr-fr', %s, 'planned', 'an earlier run')",
        [listing["sku"], Jsonb(payload)],
    )
    switch_on(price_change_limit_pct="many")
    run = upload()
    assert run.tasks["prices_plan"] == "failed"
    assert [post["body"] for post in posts(connected)] == [{"quantity": listing["quantity"] + 1}]
    assert dict(all_of(database, "select kind, status from backmarket.changes")) == {
        "quantity": "confirmed",
        "price": "planned",
    }


@pytest.mark.parametrize("at_fault", ["price", "quantity", "both"])
def test_of_a_quantity_and_a_price_refused_together_the_one_at_fault_is_found(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], at_fault: str
) -> None:
    """They are sent apart once: the good one arrives, the bad one carries Back Market's words and is not sent again."""
    (sku,) = priced(connected, 1)
    amount = (offered(connected, sku) * Decimal("1.01")).quantize(Decimal("0.01"))
    quantity, shown_before = shown(connected)[sku] + 1, shown(connected)[sku]
    stock(database, {sku: quantity})
    price(database, sku, str(amount))
    for field in ("price", "quantity"):
        if at_fault in {field, "both"}:
            connected.fault("field_refused", method="POST", fields={field: None}, times=None)
    upload()
    statuses = dict(all_of(database, "select kind, status from backmarket.changes where status <> 'superseded'"))
    bad = {"price", "quantity"} if at_fault == "both" else {at_fault}
    assert statuses == {kind: "refused" if kind in bad else "confirmed" for kind in ("price", "quantity")}
    assert shown(connected)[sku] == (shown_before if "quantity" in bad else quantity)
    assert (offered(connected, sku) == amount) == ("price" not in bad)
    connected.clear_journal()
    upload()
    assert posts(connected) == []


def test_what_another_process_has_taken_is_not_left_marked_as_sent(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A price that is under way elsewhere lets its quantity go alone; nothing is marked as sent that never left."""
    (sku,) = priced(connected, 1)
    quantity = shown(connected)[sku] + 1
    stock(database, {sku: quantity})
    price(database, sku, str(offered(connected, sku) + Decimal("0.01")))
    mark_sent = OfferSending._mark_sent

    def taken_elsewhere(sending: OfferSending, update: Update) -> Update:
        database.execute("update backmarket.changes set status = 'sent' where kind = 'price' and status = 'planned'")
        return mark_sent(sending, update)

    monkeypatch.setattr(OfferSending, "_mark_sent", taken_elsewhere)
    upload()
    assert shown(connected)[sku] == quantity
    statuses = dict(all_of(database, "select kind, status from backmarket.changes"))
    assert statuses["quantity"] == "confirmed"


@pytest.mark.parametrize(("on", "off"), [UPLOADS, UPLOADS[::-1]])
def test_each_toggle_works_alone(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    on: str,
    off: str,
) -> None:
    """With one toggle off its changes are neither planned nor sent; the other's are."""
    sku = priced(connected)[0]
    stock(database, {sku: shown(connected)[sku] + 3})
    price(database, sku, str((offered(connected, sku) * Decimal("1.01")).quantize(Decimal("0.01"))))
    switch_on(on)
    run = run_dag("backmarket_inventory_prices")
    assert run.state == "success"
    assert run.tasks[off] == "skipped"
    kind = {"inventory_upload": "quantity", "prices_upload": "price"}[on]
    assert all_of(database, "select kind, status from backmarket.changes") == [(kind, "confirmed")]


def test_switched_off_nothing_is_requested(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> None:
    """Both toggles off: every task is skipped."""
    switch_on()
    assert set(run_dag("backmarket_inventory_prices").tasks.values()) == {"skipped"}
    assert connected.journal() == []


def test_a_dry_run_records_the_plan_and_sends_nothing(
    upload: Callable[..., Run],
    switch_on: Callable[..., None],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """The same plan, the same tables, no write."""
    sku = priced(connected)[0]
    stock(database, {sku: shown(connected)[sku] + 3})
    switch_on(*UPLOADS, dry_run=True)
    assert upload().state == "success"
    assert posts(connected) == []
    assert all_of(database, "select subject, status from backmarket.changes") == [(sku, "dry_run")]


def test_a_sale_that_nobody_can_see_is_held(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Units that went from a listing stay off it although the count still has them."""
    sku = priced(connected)[0]
    stock(database, {sku: 5})
    upload()
    assert shown(connected)[sku] == 5
    connected.create_order(state=0, sku=sku, quantity=2, market="fr-fr")
    stock(database, {sku: 5})
    upload()
    assert shown(connected)[sku] == 3
    assert all_of(database, "select held, wanted from backmarket.inventory") == [(2, 3)]


@pytest.mark.parametrize("seconds", [-90, 90], ids=["Back Market behind", "Back Market ahead"])
def test_clocks_apart_hide_no_sale(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], seconds: int
) -> None:
    """A quantity whose answer was lost is seen, and sold out at once by orders that nobody can see: it stays sold."""
    sku = priced(connected)[0]
    connected.advance_clock(seconds)
    stock(database, {sku: 0})
    upload(allow_mass_zero=True)
    stock(database, {sku: 3})
    connected.fault("502_html", method="POST", path_prefix="/ws/listings", applied=True)
    upload()
    assert shown(connected)[sku] == 3
    connected.create_order(state=0, sku=sku, quantity=3, market="fr-fr")
    stock(database, {sku: 3})
    upload()
    assert shown(connected)[sku] == 0
    assert all_of(database, "select held, wanted from backmarket.inventory") == [(3, 0)]


def test_a_foreign_raise_is_reported_and_undone(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """More than was sent: another integration, or a hand, is at work."""
    sku = priced(connected)[0]
    stock(database, {sku: 2})
    upload()
    connected.patch_listing(sku, quantity=9)
    run = upload()
    assert run.xcoms["listing_refresh"]["quantity_changed_outside"] == 1
    assert shown(connected)[sku] == 2
    ((detail,),) = all_of(
        database, "select detail from backmarket.inventory_findings where kind = 'quantity_changed_outside'"
    )
    assert "7 more" in detail


def test_a_broken_feed_zeroes_nothing_until_a_person_says_so(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The guard holds the zeroes and fails the run; other changes go; the param lets the zeroes go."""
    live = [sku for sku, quantity in shown(connected).items() if quantity > 0]
    raised, *zeroed = live
    before = shown(connected)
    stock(database, dict.fromkeys(zeroed, 0) | {raised: before[raised] + 1})
    run = upload()
    assert run.state == "failed"
    assert run.tasks["upload_summary"] == "failed"
    after = shown(connected)
    assert {sku: after[sku] for sku in zeroed} == {sku: before[sku] for sku in zeroed}
    assert after[raised] == before[raised] + 1
    assert upload(allow_mass_zero=True).state == "success"
    assert {shown(connected)[sku] for sku in zeroed} == {0}


def test_storms_of_faults_end_with_the_plan(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Lost answers, errors and cut bodies: after a quiet run, every quantity and price is the plan."""
    skus = priced(connected, 12)
    quantities = {sku: place % 4 + 1 for place, sku in enumerate(skus)}
    stock(database, quantities)
    wanted = {sku: (offered(connected, sku) * Decimal("1.01")).quantize(Decimal("0.01")) for sku in skus}
    for sku, amount in wanted.items():
        price(database, sku, str(amount))
    for kind, options in (
        ("500", {"applied": True}),
        ("500", {}),
        ("cut_json", {}),
        ("reset_after", {}),
        ("502_html", {"applied": True}),
        ("empty_body", {}),
    ):
        connected.fault(kind, method="POST", path_prefix="/ws/listings", probability=0.3, times=3, **options)
    upload()
    connected.clear_faults()
    upload()
    final = upload()
    assert final.state == "success"
    assert {sku: shown(connected)[sku] for sku in skus} == quantities
    assert {sku: offered(connected, sku) for sku in skus} == wanted
    assert all_of(database, "select * from backmarket.changes where status in ('sent', 'unknown', 'planned')") == []


@pytest.mark.parametrize("applied", [False, True], ids=["killed before the POST", "killed after the POST"])
def test_a_killed_run_is_settled_by_the_next(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    applied: bool,
) -> None:
    """The row stays ``sent``; the next run reads the listing, and sends only what is not there."""
    sku = priced(connected)[0]
    stock(database, {sku: 7})
    from backmarket.api.client import BackMarketClient

    class KilledError(BaseException):
        pass

    real = BackMarketClient.update_listing

    def killed(self: BackMarketClient, *arguments: Any, **fields: Any) -> None:
        if applied:
            real(self, *arguments, **fields)
        raise KilledError

    upload_of = OfferSending.send_quantity

    def stop(self: OfferSending, *arguments: Any) -> Any:
        try:
            return upload_of(self, *arguments)
        except KilledError:
            raise RuntimeError("killed") from None

    with monkeypatch.context() as patch:
        patch.setattr(BackMarketClient, "update_listing", killed)
        patch.setattr(OfferSending, "send_quantity", stop)
        upload()
    assert all_of(database, "select status from backmarket.changes") == [("sent",)]
    database.execute("update backmarket.changes set sent_at = sent_at - interval '2 seconds'")
    connected.clear_journal()
    assert upload().state == "success"
    assert shown(connected)[sku] == 7
    assert len(posts(connected)) == (0 if applied else 1)
    assert all_of(database, "select status from backmarket.changes") == [("confirmed",)]


def test_the_hours_budget_is_kept_and_what_waits_is_not_lost(
    upload: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Quantities are served before prices, stock-outs first; the rest stays planned and goes in the next hour."""
    from pyrate_limiter import Rate

    skus = priced(connected, 6)
    monkeypatch.setattr("backmarket.warehouse.sku_line_budget.SKU_LINE_RATES", [Rate(3, 3_600_000)])
    stock(database, dict(zip(skus, (1009, 1008, 1001, 0, 1007, 1006), strict=True)))
    price(database, skus[5], str((offered(connected, skus[5]) * Decimal("1.01")).quantize(Decimal("0.01"))))
    run = upload(allow_mass_zero=True)
    assert run.state == "success"
    assert len(posts(connected)) == 3
    after = shown(connected)
    assert (after[skus[3]], after[skus[2]], after[skus[5]]) == (0, 1001, 1006)
    planned = {row[0] for row in all_of(database, "select subject from backmarket.changes where status = 'planned'")}
    assert planned == {skus[0], skus[1], skus[4]}
    upload()
    assert len(posts(connected)) == 3
    monkeypatch.undo()
