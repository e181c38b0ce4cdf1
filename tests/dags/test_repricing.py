"""Repricing in ``backmarket_backbox``, inside Airflow, against a running Back Market and a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator

from backmarket.services.approval import ALL_OF_THEM
from tests.dags.test_exactly_once import fast, sandbox
from tests.dags.test_inventory_prices import all_of, offered, posts, price, priced

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

__all__ = ["fast", "sandbox"]

TOGGLES = ("backbox_download", "repricing")
# Of so many minutes, no moment can be reckoned.
TOO_LONG = {"repricing_max_age_minutes": "2000000000"}
AUTOMATIC = {"repricing_ask_margin_pct": "5", "repricing_auto_margin_pct": "5", "price_change_limit_pct": "60"}


@pytest.fixture
def download_listings(
    connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]
) -> Callable[[], None]:
    """Bring the listings in, as on any day before."""

    def download() -> None:
        switch_on("active_listing_download")
        assert run_dag("backmarket_listings").state == "success"
        connected.clear_journal()

    return download


@pytest.fixture
def reprice(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    download_listings: Callable[[], None],
    fast: None,
) -> Callable[..., Run]:
    """Run the DAG with both toggles on; nobody competes but where a test says so."""
    download_listings()
    switch_on(*TOGGLES, **AUTOMATIC)
    alone(connected)
    return lambda **conf: run_dag("backmarket_backbox", **conf)


def alone(sandbox: Sandbox) -> None:
    """Let no listing take part in a BackBox."""
    for listing in sandbox.listings():
        sandbox.remove_competitors(listing["id"])


def cost(database: psycopg.Connection[Any], sku: str, amount: str, currency: str = "EUR") -> None:
    """Fill seller.costs: used devices."""
    database.execute(
        "insert into seller.costs (sku, unit_cost, currency, vat_scheme) values (%s, %s, %s, 'margin')"
        " on conflict (account, sku) do update set unit_cost = excluded.unit_cost",
        [sku, amount, currency],
    )


def rival(sandbox: Sandbox, sku: str, amount: Decimal) -> None:
    """Let one competitor ask a price in the home market, and never move."""
    sandbox.set_competitors(sku, "fr-fr", {"habit": "sleeper", "price": str(amount)})


def compete(
    sandbox: Sandbox, database: psycopg.Connection[Any], skus: list[str], *, below: str = "0.95", costs: str = "0.5"
) -> dict[str, Decimal]:
    """Let each SKU lose to a competitor who asks less; the seller wants what is shown. Return what would win."""
    winning = {}
    for sku in skus:
        shown = offered(sandbox, sku)
        winning[sku] = (shown * Decimal(below)).quantize(Decimal("0.01"))
        price(database, sku, str(shown))
        cost(database, sku, str((shown * Decimal(costs)).quantize(Decimal("0.01"))))
        rival(sandbox, sku, winning[sku])
    return winning


def decided(database: psycopg.Connection[Any], sku: str) -> tuple[Any, ...]:
    """The newest decision about a SKU."""
    ((*found,),) = all_of(
        database, f"select verdict, target, reason from backmarket.repricing where sku = '{sku}' and market = 'fr-fr'"
    )
    return tuple(found)


def test_prices_that_lose_go_to_the_price_to_win_and_keep_their_reason(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Sent once, confirmed by what Back Market shows; the next run sends nothing."""
    winning = compete(connected, database, priced(connected, 3))
    run = reprice()
    assert run.state == "success", run.tasks
    assert {sku: offered(connected, sku) for sku in winning} == winning
    changes = all_of(
        database, "select subject, market, status, (payload ->> 'price')::numeric, reason from backmarket.changes"
    )
    for sku, market, status, sent, reason in changes:
        assert (market, status, sent) == ("fr-fr", "confirmed", winning[sku])
        assert reason.startswith(f"winner {winning[sku]}, floor ")
        assert reason.endswith(f", so {winning[sku]}")
    assert len(changes) == 3
    connected.clear_journal()
    assert reprice().state == "success"
    assert posts(connected) == []
    verdict, _, reason = decided(database, next(iter(winning)))
    assert (verdict, reason[:8]) == ("hold", "it moved")


def test_in_dry_run_moves_are_written_down_and_none_is_sent(
    reprice: Callable[..., Run], switch_on: Callable[..., None], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The natural first week."""
    switch_on("dry_run", *TOGGLES, **AUTOMATIC)
    winning = compete(connected, database, priced(connected, 2))
    assert reprice().state == "success"
    assert posts(connected) == []
    rows = all_of(database, "select subject, status, (payload ->> 'price')::numeric from backmarket.changes")
    assert sorted(rows) == sorted((sku, "dry_run", amount) for sku, amount in winning.items())


def test_a_missing_cost_or_rate_moves_nothing_and_says_so(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """All others move; a rate of today lets the next one move, too."""
    without, foreign, moving = priced(connected, 3)
    winning = compete(connected, database, [without, foreign, moving])
    before = {sku: offered(connected, sku) for sku in (without, foreign)}
    database.execute("delete from seller.costs where sku = %s", [without])
    database.execute("update seller.costs set currency = 'USD' where sku = %s", [foreign])
    assert reprice().state == "success"
    assert {sku: offered(connected, sku) for sku in (without, foreign)} == before
    assert offered(connected, moving) == winning[moving]
    assert decided(database, without) == ("hold", None, "no cost is known: fill seller.costs")
    assert decided(database, foreign) == ("hold", None, "no rate from USD to EUR is known: fill seller.fx_rates")
    database.execute(
        "insert into seller.fx_rates (day, from_currency, to_currency, rate) values (%s, 'EUR', 'USD', 1.1)",
        [datetime.now(UTC).date()],
    )
    assert reprice().state == "success"
    assert offered(connected, foreign) == winning[foreign]


def test_a_listing_costs_what_all_units_do_that_it_takes(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Of the seller's SKUs by seller.sku_map, and the dearest of several: none is sold below its cost."""
    pair, single, dear = priced(connected, 3)
    winning = compete(connected, database, [pair, single, dear])
    database.execute("delete from seller.costs")
    database.execute("insert into seller.sku_map (sku, listing_sku) select 'own ' || sku, sku from seller.prices")
    database.execute("update seller.sku_map set units = 2 where listing_sku = %s", [pair])
    database.execute("update seller.prices set sku = 'own ' || sku where sku = %s", [single])
    database.execute("insert into seller.sku_map (sku, listing_sku) values ('dearer', %s)", [dear])
    before = {sku: offered(connected, sku) for sku in winning}
    for sku, shown in before.items():
        cost(database, f"own {sku}", str((shown * Decimal("0.38")).quantize(Decimal("0.01"))))
    cost(database, "dearer", str(before[dear] * Decimal("0.76")))
    assert reprice().state == "success"
    assert {sku: offered(connected, sku) for sku in winning} == {**before, single: winning[single]}
    for sku in (pair, dear):
        assert f"{winning[sku]} would win, floor" in decided(database, sku)[2]


def test_a_row_of_costs_that_cannot_be_read_costs_no_other(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """It is named, and the run is red at its end."""
    sick, *healthy = priced(connected, 4)
    winning = compete(connected, database, [sick, *healthy])
    database.execute("update seller.costs set vat_scheme = 'reverse' where sku = %s", [sick])
    run = reprice()
    assert run.state == "failed"
    assert run.tasks["repricing_check"] == "failed"
    assert {sku: offered(connected, sku) for sku in healthy} == {sku: winning[sku] for sku in healthy}
    ((key, reason),) = all_of(database, "select key, reason from backmarket.quarantine where entity = 'seller.costs'")
    assert key == sick
    assert "vat_scheme is 'reverse'" in reason


def test_a_table_that_no_decision_needs_stops_none_although_it_cannot_be_read(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Decided, planned and sent; the run is red at its end, and says which table."""
    foreign, *moving = priced(connected, 3)
    winning = compete(connected, database, [foreign, *moving])
    before = offered(connected, foreign)
    database.execute("update seller.costs set currency = 'USD' where sku = %s", [foreign])
    database.execute("alter table seller.fx_rates rename column rate to rates")
    database.execute("alter table seller.device_costs rename column unit_cost to costs")
    run = reprice()
    assert run.state == "failed"
    assert (run.tasks["repricing"], run.tasks["repricing_check"]) == ("success", "failed")
    assert sorted(run.xcoms["repricing"]["unusable_feeds"]) == ["seller.device_costs", "seller.fx_rates"]
    assert {sku: offered(connected, sku) for sku in moving} == {sku: winning[sku] for sku in moving}
    assert offered(connected, foreign) == before
    assert decided(database, foreign) == (
        "hold",
        None,
        "seller.fx_rates, which says what USD is in EUR, cannot be read",
    )


def test_between_the_two_margins_a_person_is_asked_and_the_answer_is_sent(
    reprice: Callable[..., Run],
    switch_on: Callable[..., None],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """Exactly the move that was approved; another one is asked for anew."""
    switch_on(*TOGGLES, **AUTOMATIC | {"repricing_auto_margin_pct": "60"})
    (sku,) = priced(connected, 1)
    before = offered(connected, sku)
    winning = compete(connected, database, [sku])
    assert reprice().state == "success"
    assert offered(connected, sku) == before
    ((status, reason),) = all_of(database, "select status, reason from backmarket.changes")
    assert status == "awaiting_approval"
    assert "less than" in reason
    database.execute(
        "insert into backmarket.price_approvals (account, sku, market, old_price, new_price, currency, reason, status,"
        " run_id, decided_at, decided_by) values ('default', %s, 'fr-fr', %s, %s, 'EUR', '', 'approved', 'run', now(),"
        " 'someone')",
        [sku, before, winning[sku]],
    )
    assert reprice().state == "success"
    assert offered(connected, sku) == winning[sku]


def test_repricing_alone_asks_in_airflow_and_sends_the_answer(
    reprice: Callable[..., Run],
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With prices_upload off: the form is put and answered, and the next run of this DAG sends what was approved."""
    switch_on(*TOGGLES, **AUTOMATIC | {"repricing_auto_margin_pct": "60"})
    (sku,) = priced(connected, 1)
    before = offered(connected, sku)
    winning = compete(connected, database, [sku])
    assert reprice().xcoms["ask_for_price_approval"] == 1

    def answer(form: HITLOperator, context: Any) -> Any:
        return form.execute_complete(context, {"chosen_options": [ALL_OF_THEM], "params_input": {}})

    monkeypatch.setattr(HITLOperator, "execute", answer)
    run = run_dag("backmarket_price_approval")
    assert run.tasks["prices_upload_gate"] == "skipped"
    assert run.xcoms["price_approval"] == {"approved": 1, "refused": 0, "expired": 0}
    assert offered(connected, sku) == before
    assert reprice().state == "success"
    assert offered(connected, sku) == winning[sku]


def test_prices_upload_goes_on_with_what_repricing_has_never_moved(
    reprice: Callable[..., Run],
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """A move is not set back by the other DAG; switched off, prices are those of seller.prices again."""
    moved, plain = priced(connected, 2)
    winning = compete(connected, database, [moved])
    before = offered(connected, moved)
    wanted = (offered(connected, plain) * Decimal("1.01")).quantize(Decimal("0.01"))
    price(database, plain, str(wanted))
    switch_on("prices_upload", *TOGGLES, **AUTOMATIC)
    assert reprice().state == "success"
    connected.clear_journal()
    assert run_dag("backmarket_inventory_prices").state == "success"
    assert offered(connected, moved) == winning[moved]
    assert offered(connected, plain) == wanted
    switch_on("prices_upload", repricing="false")
    assert run_dag("backmarket_inventory_prices").state == "success"
    assert offered(connected, moved) == before


def test_without_prices_upload_no_other_price_is_sent(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Nor is one refused: those rows are another concern's."""
    moved, plain, wrong = priced(connected, 3)
    compete(connected, database, [moved])
    price(database, plain, "77.77")
    price(database, wrong, "77.77", "GBP")
    assert reprice().state == "success"
    assert {subject for (subject,) in all_of(database, "select subject from backmarket.changes")} == {moved}


def test_a_price_below_its_floor_is_raised_although_nobody_was_asked_about_competitors(
    reprice: Callable[..., Run], switch_on: Callable[..., None], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The floor is the seller's own where that is higher."""
    switch_on(*TOGGLES, **AUTOMATIC, backbox_requests_an_hour="0")
    (sku,) = priced(connected, 1)
    shown = offered(connected, sku)
    floor = (shown * Decimal("1.01")).quantize(Decimal("0.01"))
    compete(connected, database, [sku])
    database.execute("update seller.prices set price = price * 1.02, min_price = %s where sku = %s", [floor, sku])
    assert reprice().state == "success"
    assert offered(connected, sku) == floor


def test_who_competes_in_a_market_that_could_not_be_read_is_not_known(
    reprice: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Nobody is taken to be alone there, and no price climbs."""
    sick, alone_there = priced(connected, 2)
    for sku in (sick, alone_there):
        shown = offered(connected, sku)
        price(database, sku, str(shown * 2))
        cost(database, sku, str((shown / 2).quantize(Decimal("0.01"))))
    rival(connected, sick, Decimal(1))
    connected.set_competitors(sick, "de-de", {"habit": "sleeper", "price": "1"})
    (listing,) = [listing["id"] for listing in connected.listings() if listing["sku"] == sick]
    connected.fault("odd_document", listing=listing, market="fr-fr", fields={"is_winning": "perhaps"}, times=None)
    before = offered(connected, sick), offered(connected, alone_there)
    run = reprice()
    assert (run.tasks["backbox_check"], run.tasks["repricing"]) == ("failed", "success")
    assert decided(database, sick)[::2] == ("hold", "its competitors were not read yet")
    assert offered(connected, sick) == before[0]
    assert offered(connected, alone_there) > before[1]


def test_old_knowledge_moves_nothing(
    reprice: Callable[..., Run], switch_on: Callable[..., None], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Where competitors cannot be read any more, prices stay."""
    (sku,) = priced(connected, 1)
    compete(connected, database, [sku], below="1.05")
    assert reprice().state == "success"
    rival(connected, sku, Decimal(1))
    database.execute("update backmarket.backbox set read_at = read_at - %s", [timedelta(hours=2)])
    database.execute("update backmarket.backbox_askings set asked_at = asked_at - %s", [timedelta(hours=2)])
    switch_on(*TOGGLES, **AUTOMATIC, backbox_requests_an_hour="0")
    connected.clear_journal()
    assert reprice().state == "success"
    assert posts(connected) == []
    assert decided(database, sku)[2] == "what is known of its competitors is 120 minutes old"


def test_a_slip_or_an_old_decision_sets_no_price_back_or_forth(
    reprice: Callable[..., Run],
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
) -> None:
    """Prices that were moved stay as they are shown, whoever changed them; all others are sent."""
    moved, plain = priced(connected, 2)
    compete(connected, database, [moved])
    switch_on("prices_upload", *TOGGLES, **AUTOMATIC)
    assert reprice().state == "success"
    (listing,) = [listing for listing in connected.listings() if listing["sku"] == moved]
    by_hand = offered(connected, moved) + 1
    connected.patch_listing(listing["listing_id"], offers={"fr-fr": {"price": str(by_hand)}})
    for slip in ({"repricing": "ture"}, {"repricing_max_age_minutes": "an hour"}, TOO_LONG):
        switch_on("prices_upload", **{**AUTOMATIC, "repricing": "true", **slip})
        wanted = (offered(connected, plain) * Decimal("1.01")).quantize(Decimal("0.01"))
        price(database, plain, str(wanted))
        assert run_dag("backmarket_inventory_prices").state == "success"
        assert (offered(connected, moved), offered(connected, plain)) == (by_hand, wanted)
    database.execute("update backmarket.repricing set decided_at = decided_at - interval '61 minutes'")
    switch_on("prices_upload", *TOGGLES, **AUTOMATIC, repricing_max_age_minutes="60")
    assert run_dag("backmarket_inventory_prices").state == "success"
    assert offered(connected, moved) == by_hand
