"""What a sale costs by the seller's tables, and what is decided about prices from it, in a real PostgreSQL."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from backmarket.services.repricing import decide_prices
from backmarket.settings import RepricingSettings, SaleCostSettings
from backmarket.warehouse import feeds

if TYPE_CHECKING:
    import psycopg

    from backmarket.services.repricing import Decisions

LOG = logging.getLogger(__name__)
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def offer(
    database: psycopg.Connection[Any],
    sku: str,
    shown: str | None = "240.00",
    *,
    market: str = "fr-fr",
    currency: str | None = "EUR",
    to_win: str | None = "230.00",
    **wanted: str | None,
) -> None:
    """A listing that a market shows and that loses, and the row of seller.prices about it."""
    ((listing_id,),) = database.execute(
        "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        "values ('default', %s, %s, 'fr-fr', 5, %s, %s) returning id",
        [uuid4(), sku, NOW, NOW],
    ).fetchall()
    database.execute(
        "insert into backmarket.listing_offers (account, id, market, price, currency, document, first_seen_at, read_at)"
        " values ('default', %s, %s, %s, %s, '{}', %s, %s)",
        [listing_id, market, shown, currency, NOW, NOW],
    )
    database.execute(
        "insert into backmarket.backbox (account, id, market, price_to_win, winner_price, currency, is_winning, "
        "document, read_at) values ('default', %s, %s, %s, %s, 'EUR', false, '{}', %s)",
        [listing_id, market, to_win, to_win, NOW],
    )
    price(database, sku, market=market, **wanted)


def price(database: psycopg.Connection[Any], sku: str, *, market: str = "fr-fr", **wanted: str | None) -> None:
    """A row of seller.prices."""
    database.execute(
        "insert into seller.prices (sku, market, price, currency, min_price) values (%s, %s, %s, %s, %s)",
        [sku, market, wanted.get("price", "300"), wanted.get("in_currency", "EUR"), wanted.get("min_price")],
    )


def cost(database: psycopg.Connection[Any], sku: str, amount: str, currency: str = "EUR") -> None:
    """A row of seller.costs: used devices."""
    database.execute("insert into seller.costs values ('default', %s, %s, %s, 'margin')", [sku, amount, currency])


def feed(database: psycopg.Connection[Any], *rows: tuple[str | None, str, str | None]) -> None:
    """Rows of seller.sku_map, as a view of texts has them."""
    database.execute("alter table seller.sku_map drop constraint sku_map_pkey, alter units type text")
    database.execute("alter table seller.sku_map alter sku drop not null")
    for row in rows:
        database.execute("insert into seller.sku_map (sku, listing_sku, units) values (%s, %s, %s)", row)


def decide(
    database: psycopg.Connection[Any], markets: tuple[str, ...] = ("fr-fr",), **variables: object
) -> dict[str, tuple[str, str | None, str]]:
    """Decide about all prices; return verdict, target and reason by SKU."""
    decide_all(database, markets, **variables)
    rows = database.execute("select sku, verdict, target, reason from backmarket.repricing").fetchall()
    return {sku: (verdict, target and str(target), reason) for sku, verdict, target, reason in rows}


def decide_all(
    database: psycopg.Connection[Any], markets: tuple[str, ...] = ("fr-fr",), **variables: object
) -> Decisions:
    """Decide about all prices."""
    margins = {"repricing_auto_margin_pct": "0", "repricing_ask_margin_pct": "5"}
    settings = RepricingSettings.checked(margins | variables)
    return decide_prices(database, "default", settings, SaleCostSettings(), LOG, markets=list(markets), now=NOW)


def test_every_sku_that_feeds_a_listing_needs_a_cost(warehouse: psycopg.Connection[Any]) -> None:
    """Nobody knows which one is picked: the cheaper one sets no floor. The listing's own name may lack one."""
    for sku in ("KNOWN", "HALF", "NAMED", "NONE", "ALONE"):
        offer(warehouse, sku)
    for sku in ("cheap", "dear", "HALF"):
        cost(warehouse, sku, "100")
    feed(
        warehouse,
        ("cheap", "KNOWN", None),
        ("dear", "KNOWN", None),
        ("cheap", "HALF", None),
        ("Other", "HALF", None),
        ("cheap", "NAMED", None),
        ("NAMED", "NAMED", None),
        ("Other", "NONE", None),
    )
    found = decide(warehouse)
    assert found["KNOWN"][:2] == ("move", "230.00")
    assert found["HALF"] == ("hold", None, "no cost of Other, which feeds it, is known: fill seller.costs")
    assert found["NAMED"] == ("hold", None, "no cost is known: fill seller.costs")
    assert found["NONE"] == ("hold", None, "no cost of Other, which feeds it, is known: fill seller.costs")
    assert found["ALONE"] == ("hold", None, "no cost is known: fill seller.costs")


def count(database: psycopg.Connection[Any], sku: str) -> None:
    """A row of seller.stock."""
    database.execute("insert into seller.stock (sku, quantity, counted_at) values (%s, 1, now())", [sku])


@pytest.mark.parametrize("is_readable", [True, False])
def test_the_sku_of_a_listings_name_needs_a_cost_where_there_are_units_of_it(
    warehouse: psycopg.Connection[Any], is_readable: bool
) -> None:
    """They are sold as well: a floor of what the other one costs is none of theirs."""
    for sku in ("COUNTED", "KNOWN", "NAME", "ALONE"):
        offer(warehouse, sku)
    cost(warehouse, "other", "100")
    cost(warehouse, "Known", "100")
    count(warehouse, " counted")
    count(warehouse, "KNOWN")
    feed(warehouse, ("other", "COUNTED", None), ("other", "KNOWN", None), ("other", "NAME", None))
    if not is_readable:
        warehouse.execute("alter table seller.stock rename quantity to number")
    found = decide(warehouse)
    assert found["KNOWN"][:2] == ("move", "230.00")
    assert found["ALONE"] == ("hold", None, "no cost is known: fill seller.costs")
    if is_readable:
        reason = "no cost of COUNTED itself, which seller.stock counts, is known: fill seller.costs"
        assert found["COUNTED"] == ("hold", None, reason)
        assert found["NAME"][:2] == ("move", "230.00")
    else:
        reasons = {
            sku: f"seller.stock, which says whether there are units of {sku} itself, cannot be read"
            for sku in ("COUNTED", "NAME")
        }
        assert {sku: found[sku] for sku in reasons} == {sku: ("hold", None, why) for sku, why in reasons.items()}


def test_a_cost_beside_a_row_of_its_sku_that_cannot_be_read_is_none(warehouse: psycopg.Connection[Any]) -> None:
    """The one that is left out may be the right one; in whatever case the SKU stands there."""
    warehouse.execute("alter table seller.costs drop constraint costs_pkey, alter unit_cost type text")
    for sku in ("A", "FED", "LEFT", "GOOD"):
        offer(warehouse, sku)
    for sku in ("A", "Own", "GOOD"):
        cost(warehouse, sku, "100")
    for sku in (" a", "OWN", "LEFT"):
        cost(warehouse, sku, "150,00")
    feed(warehouse, ("Own", "FED", None))
    found = decide(warehouse)
    assert found.pop("GOOD")[:2] == ("move", "230.00")
    assert found == {
        "A": ("hold", None, "a row of seller.costs for A cannot be read: correct it"),
        "FED": ("hold", None, "a row of seller.costs for Own, which feeds it, cannot be read: correct it"),
        "LEFT": ("hold", None, "a row of seller.costs for LEFT cannot be read: correct it"),
    }


def test_what_a_row_that_cannot_be_used_says_of_a_listing_is_no_cost(warehouse: psycopg.Connection[Any]) -> None:
    """Nor what a SKU with such a row is said to feed besides: how many of it, nobody knows. All others move."""
    for sku in ("BAD", "BESIDE", "TWICE", "NAMELESS", "GOOD"):
        offer(warehouse, sku)
        cost(warehouse, sku, "100")
    cost(warehouse, "sick", "1")
    cost(warehouse, "twice so", "1")
    feed(
        warehouse,
        ("sick", "BAD", "two"),
        ("sick", "BESIDE", "1"),
        ("twice so", "TWICE", "1"),
        ("twice so", "TWICE", "2"),
        (None, "NAMELESS", None),
    )
    found = decide(warehouse)
    unclear = "a row of seller.sku_map that feeds it cannot be used: correct it"
    assert found.pop("GOOD")[:2] == ("move", "230.00")
    assert found == dict.fromkeys(("BAD", "BESIDE", "TWICE", "NAMELESS"), ("hold", None, unclear))


def test_rows_of_costs_that_differ_are_no_cost_and_named(warehouse: psycopg.Connection[Any]) -> None:
    """Whichever is read last, and in whatever case the SKU stands there; rows that agree are one."""
    warehouse.execute("alter table seller.costs drop constraint costs_pkey")
    for sku in ("A-1", "B", "C", "SAME", "FED", "GOOD"):
        offer(warehouse, sku)
        cost(warehouse, sku, "100")
    cost(warehouse, "a-1", "100.01")
    cost(warehouse, " B ", "100", "GBP")
    warehouse.execute("insert into seller.costs values ('default', 'C', '100', 'EUR', 'standard')")
    cost(warehouse, "same", "100.00")
    cost(warehouse, "Own", "100")
    cost(warehouse, "own", "99")
    feed(warehouse, ("Own", "FED", None), ("GOOD", "GOOD", None))
    decisions = decide_all(warehouse)
    rows = warehouse.execute("select sku, verdict, target, reason from backmarket.repricing").fetchall()
    reasons = {sku: reason for sku, verdict, target, reason in rows if verdict == "hold" and target is None}
    assert reasons == {
        "A-1": "rows of seller.costs for A-1 differ: keep the right one",
        "B": "rows of seller.costs for B differ: keep the right one",
        "C": "rows of seller.costs for C differ: keep the right one",
        "FED": "rows of seller.costs for Own, which feeds it, differ: keep the right one",
    }
    assert {sku for sku, verdict, *_ in rows if verdict == "move"} == {"SAME", "GOOD"}
    feeds = {each.table: each for each in decisions.feeds}
    assert {each.key: each.reason for each in feeds["seller.costs"].left_out} == dict.fromkeys(
        ("A-1", "a-1", "B", "C", "Own", "own"), "2 rows of this SKU differ: keep the right one"
    )
    assert len(feeds["seller.costs"].rows) == 4


def test_an_offer_in_another_currency_than_its_market_stays(warehouse: psycopg.Connection[Any]) -> None:
    """One that names none is taken for its market's."""
    for sku, currency in {"POUND": "gbp", "EURO": " eur", "NONE": None, "EMPTY": ""}.items():
        offer(warehouse, sku, "50.00" if sku == "POUND" else "240.00", currency=currency)
        cost(warehouse, sku, "100")
    found = decide(warehouse)
    assert found.pop("POUND") == (
        "hold",
        None,
        "it is shown in GBP, which is not its market's currency: set its price once in the Back Office",
    )
    assert {verdict for verdict, *_ in found.values()} == {"move"}


def test_figures_that_nobody_can_reckon_with_cost_no_other_price(warehouse: psycopg.Connection[Any]) -> None:
    """A price of 0 of what cost nothing, a cost beyond all measure: each stays with its reason, the others move."""
    for sku in ("ZERO", "HUGE", "GOOD"):
        offer(warehouse, sku)
        cost(warehouse, sku, "100" if sku == "GOOD" else "0")
    warehouse.execute("update seller.prices set price = 0 where sku = 'ZERO'")
    cost(warehouse, "own", "999999999999.99999999999999999999", "USD")
    warehouse.execute("insert into seller.fx_rates values ('2026-11-27', 'USD', 'EUR', 999999999999)")
    feed(warehouse, ("own", "HUGE", "999999999"))
    found = decide(warehouse, repricing_auto_margin_amount="10")
    assert found.pop("GOOD")[:2] == ("move", "230.00")
    assert {sku: (verdict, target) for sku, (verdict, target, _) in found.items()} == dict.fromkeys(
        ("ZERO", "HUGE"), ("hold", None)
    )
    assert all(reason for *_, reason in found.values())


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"repricing_cooldown_minutes": "4320"}, "it moved 2,880 minutes ago"),
        ({"repricing_max_age_minutes": "7200"}, "its competitors were not read since it moved"),
    ],
)
def test_moves_of_more_than_a_day_ago_hold_a_price_where_the_variables_say_so(
    warehouse: psycopg.Connection[Any], variables: dict[str, Any], reason: str
) -> None:
    """They are read as far back as one of them matters."""
    from psycopg.types.json import Jsonb

    offer(warehouse, "A")
    cost(warehouse, "A", "100")
    if "repricing_max_age_minutes" in variables:
        warehouse.execute("update backmarket.backbox set read_at = %s", [NOW - timedelta(days=3)])
    warehouse.execute(
        "insert into backmarket.changes (account, kind, subject, market, payload, status, attempts, sent_at) "
        "values ('default', 'price', 'A', 'fr-fr', %s, 'confirmed', 1, %s)",
        [Jsonb({"price": "240.00", "old_price": "230.00", "why": "so it is"}), NOW - timedelta(days=2)],
    )
    assert decide(warehouse, **variables)["A"][::2] == ("hold", reason)


def test_a_move_holds_a_price_whose_sku_is_spelled_otherwise_now(warehouse: psycopg.Connection[Any]) -> None:
    """Case makes no other SKU: the price rests as long as it would have."""
    from psycopg.types.json import Jsonb

    offer(warehouse, "A")
    cost(warehouse, "A", "100")
    warehouse.execute("update backmarket.backbox set read_at = %s", [NOW])
    warehouse.execute(
        "insert into backmarket.changes (account, kind, subject, market, payload, status, attempts, sent_at) "
        "values ('default', 'price', 'a', 'fr-fr', %s, 'confirmed', 1, %s)",
        [Jsonb({"price": "240.00", "old_price": "250.00", "why": "so it is"}), NOW - timedelta(minutes=10)],
    )
    assert decide(warehouse)["A"][::2] == ("hold", "it moved 10 minutes ago")


BREAK = {
    "device_costs": "alter table seller.device_costs rename column unit_cost to costs",
    "fx_rates": "alter table seller.fx_rates rename column rate to rates",
    "vat_rates": "alter table seller.vat_rates rename column vat_pct to vat",
}


@pytest.mark.parametrize(
    ("table", "reasons"),
    [
        ("device_costs", {"EURO": None, "DOLLAR": None}),
        ("fx_rates", {"EURO": None, "DOLLAR": "seller.fx_rates, which says what USD is in EUR, cannot be read"}),
        (
            "vat_rates",
            dict.fromkeys(("EURO", "DOLLAR"), "seller.vat_rates, which may say VAT of fr-fr, cannot be read"),
        ),
    ],
)
def test_a_table_that_cannot_be_read_holds_what_needs_it_alone(
    warehouse: psycopg.Connection[Any], table: str, reasons: dict[str, str | None]
) -> None:
    """All others are decided, and the table is named as unusable."""
    offer(warehouse, "EURO")
    offer(warehouse, "DOLLAR")
    cost(warehouse, "EURO", "100")
    cost(warehouse, "DOLLAR", "100", "USD")
    warehouse.execute("insert into seller.fx_rates values ('2026-11-27', 'USD', 'EUR', 1)")
    warehouse.execute(BREAK[table].encode())
    decisions = decide_all(warehouse)
    rows = warehouse.execute("select sku, verdict, reason from backmarket.repricing").fetchall()
    assert {sku: None if verdict == "move" else reason for sku, verdict, reason in rows} == reasons
    assert decisions.unusable == [f"seller.{table}"]
    assert [each.table for each in feeds.unusable(warehouse, "default", decisions.unusable)] == decisions.unusable
    assert f"seller.{table}" not in {each.table for each in decisions.feeds}
    assert len(decisions.feeds) == 3


@pytest.mark.parametrize(
    ("day", "rate"), [("'{}'::json", "1"), ("current_date", "case when random() < 2 then 1 / 0 end"), ("broken()", "1")]
)
def test_whatever_a_view_of_rates_fails_with_it_stops_no_other_price(
    warehouse: psycopg.Connection[Any], day: str, rate: str
) -> None:
    """A type that no day is compared with, a division by zero, an error of a function of the seller's own."""
    offer(warehouse, "EURO")
    offer(warehouse, "DOLLAR")
    cost(warehouse, "EURO", "100")
    cost(warehouse, "DOLLAR", "100", "USD")
    warehouse.execute(
        "create function broken() returns date language plpgsql as $$ begin raise 'SECRET'; end $$;"
        "drop table seller.fx_rates"
    )
    warehouse.execute(
        f"create view seller.fx_rates as select {day} as day, 'USD' as from_currency, 'EUR' as to_currency, "
        f"{rate} as rate".encode()
    )
    decisions = decide_all(warehouse)
    assert decide(warehouse)["EURO"][0] == "move"
    assert decide(warehouse)["DOLLAR"][0] == "hold"
    assert decisions.unusable == ["seller.fx_rates"]
    (found,) = feeds.unusable(warehouse, "default", decisions.unusable)
    assert "SECRET" not in str(found)
