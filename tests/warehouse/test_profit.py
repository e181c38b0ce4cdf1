"""What a sale leaves, to the cent: expected from its order, actual from statements, VAT by scheme, costs by rates."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.markets import MARKETS, decimals_of
from backmarket.warehouse import profit
from backmarket.warehouse.seller_rows import FORMS, LeftOut
from backmarket.warehouse.settlements.reconciliation import Limits, reconcile
from tests.warehouse.test_seller_rows import NASTY

if TYPE_CHECKING:
    import psycopg

DAY = date(2026, 9, 7)
LIMITS = Limits(due_days=14, tolerance=Decimal("0.01"))
AMOUNTS = ("revenue", "commission", "fees", "logistics", "refunds", "vat", "cost", "margin")


def _order(
    database: psycopg.Connection[Any],
    order_id: int,
    *lines: dict[str, Any],
    currency: str = "EUR",
    country: str = "fr-fr",
    **order: Any,
) -> None:
    """Store an order that was paid on the seventh, and its lines: by default one of 100.00 with 10.00 commission."""
    database.execute(
        "insert into backmarket.orders (account, order_id, state, currency, country_code, price, shipping_price, "
        "date_payment, document, first_seen_at, read_at, gone_at) "
        "values (%s, %s, 9, %s, %s, %s, %s, '2026-09-07 12:00Z', '{}', now(), now(), %s)",
        [
            order.get("account", "default"),
            order_id,
            currency,
            country,
            order.get("price"),
            order.get("shipping"),
            order.get("gone_at"),
        ],
    )
    for number, line in enumerate(lines or ({},)):
        database.execute(
            "insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, "
            "shipping_price, currency, state, orderline_fee, imei, serial_number, first_seen_at, first_seen_state) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), 1)",
            [
                order.get("account", "default"),
                order_id * 10 + number,
                order_id,
                line.get("sku", "A"),
                line.get("quantity", 1),
                line.get("price", "100.00"),
                line.get("shipping"),
                currency,
                line.get("state", 3),
                line.get("fee", "10.00"),
                line.get("imei"),
                line.get("serial"),
            ],
        )


def _cost(
    database: psycopg.Connection[Any], sku: str, cost: str, scheme: str = "margin", currency: str = "EUR"
) -> None:
    database.execute("insert into seller.costs values ('default', %s, %s, %s, %s)", [sku, cost, currency, scheme])


def _rate(database: psycopg.Connection[Any], day: str, one: str, other: str, rate: str) -> None:
    database.execute("insert into seller.fx_rates values (%s, %s, %s, %s)", [day, one, other, rate])


_CATEGORIES = {
    "sales": ("revenue", "sale"),
    "sales_fees": ("commission", "fee"),
    "avoir_sales_fees": ("commission", "fee_credit"),
    "payment_fees": ("payment_fee", ""),
    "ccbm_fees": ("service", ""),
    "backship": ("logistics", ""),
    "refunds": ("refund", "refund"),
    "bonus_marketing": ("adjustment", ""),
    "payment": ("cash_flow", ""),
    "new_key": ("unknown", ""),
}


def _paid(
    database: psycopg.Connection[Any],
    order_id: int,
    *rows: tuple[str, str],
    line: int | None = None,
    sku: str | None = None,
    currency: str = "EUR",
) -> None:
    """Store rows of a statement, tied to an order or to one of its lines."""
    for key, amount in rows:
        category, role = _CATEGORIES[key]
        database.execute(
            "insert into backmarket.settlement_lines (account, invoice_ref, currency, line_id, line_no, invoice_key, "
            "category, role, value_date, sku, order_id, number, tied_by, designation, amount, first_export) "
            "select 'default', 'S', %s, coalesce(max(line_id), 0) + 1, 1, %s, %s, %s, '2026-09-14', %s, %s, %s, %s, "
            "'x', %s, now() from backmarket.settlement_lines",
            [currency, key, category, role, sku, order_id, line or order_id, "orderline" if line else "order", amount],
        )


def _profit(database: psycopg.Connection[Any], order_id: int) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with database.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from backmarket.profit where account = 'default' and order_id = %s order by orderline_id",
            [order_id],
        ).fetchall()


def _one(database: psycopg.Connection[Any], order_id: int = 1) -> dict[str, Any]:
    (row,) = _profit(database, order_id)
    return row


def _half_up(amount: Decimal, decimals: int = 2) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("country", "currency", "price", "cost", "scheme", "rates", "vat", "own_cost"),
    [
        # 100 - 60 = 40, of which a sixth.
        ("fr-fr", "EUR", "100.00", "60", "margin", [], "6.67", "60.00"),
        ("fr-fr", "EUR", "100.00", "60", "standard", [], "16.67", "60.00"),
        # 19 / 119 of 40.00 and of 100.00.
        ("de-de", "EUR", "100.00", "60", "margin", [], "6.39", "60.00"),
        ("de-de", "EUR", "100.00", "60", "standard", [], "15.97", "60.00"),
        # No VAT on a loss.
        ("fr-fr", "EUR", "100.00", "130", "margin", [], "0.00", "130.00"),
        # 60 EUR x 0.8542 = 51.252.
        ("en-gb", "GBP", "100.00", "60", "margin", [("EUR", "GBP", "0.8542")], "8.13", "51.25"),
        # 25 / 125 of 1100.00 - 678.00, the cost by the inverse of 1 SEK = 0.0885 EUR.
        ("sv-se", "SEK", "1100.00", "60.003", "margin", [("SEK", "EUR", "0.0885")], "84.40", "678.00"),
        # No decimals: 10 / 110 of 16543 is 1503.9.
        ("ja-jp", "JPY", "16543", "60", "standard", [("EUR", "JPY", "163.21")], "1504", "9793"),
        # 5 / 110 would be .5: 10 / 110 of 60.5 rounds up from 5.5.
        ("ja-jp", "JPY", "16148.5", "100", "margin", [("EUR", "JPY", "160.88")], "6", "16088"),
        ("en-us", "USD", "100.00", "60", "standard", [("EUR", "USD", "1.1")], "0.00", "66.00"),
        ("en-au", "AUD", "110.00", "60", "standard", [("EUR", "AUD", "1.5")], "10.00", "90.00"),
    ],
)
def test_what_is_expected_of_a_sale(
    warehouse: psycopg.Connection[Any],
    country: str,
    currency: str,
    price: str,
    cost: str,
    scheme: str,
    rates: list[tuple[str, str, str]],
    vat: str,
    own_cost: str,
) -> None:
    """Both VAT schemes, in each currency, with its decimals."""
    _order(warehouse, 1, {"price": price, "fee": "10"}, country=country, currency=currency)
    _cost(warehouse, "A", cost, scheme)
    for rate in rates:
        _rate(warehouse, "2026-09-07", *rate)
    row = _one(warehouse)
    assert (row["market"], row["currency"], row["is_settled"], row["sold_on"]) == (country, currency, False, DAY)
    assert (str(row["vat"]), str(row["cost"]), row["cost_reason"]) == (vat, own_cost, None)
    assert row["margin"] == Decimal(price) - 10 - Decimal(vat) - Decimal(own_cost)
    assert row["vat_scheme"] == scheme


def test_a_statement_takes_the_place_of_what_was_expected(warehouse: psycopg.Connection[Any]) -> None:
    """Every category counts once; what is no profit, and what nobody knows, does not."""
    _order(warehouse, 1)
    _cost(warehouse, "A", "60.00")
    before = _one(warehouse)
    assert [before[name] for name in AMOUNTS] == [Decimal(text) for text in "100 10 0 0 0 6.67 60 23.33".split()]
    assert not before["fees_known"]
    _paid(
        warehouse, 1, ("sales", "99.00"), ("sales_fees", "-10.50"), ("payment_fees", "-1.20"), ("ccbm_fees", "-0.80"),
        ("backship", "-4.99"), ("bonus_marketing", "0.50"), ("payment", "-77.00"), ("new_key", "-5.00"),
    )  # fmt: skip
    after = _one(warehouse)
    assert [after[name] for name in AMOUNTS] == [
        Decimal(text) for text in "99.00 10.50 1.50 4.99 0 6.50 60.00 15.51".split()
    ]
    assert (after["is_settled"], after["fees_known"]) == (True, True)
    assert (after["revenue_expected"], after["commission_expected"]) == (100, 10)


def test_what_is_refunded_and_what_came_back(warehouse: psycopg.Connection[Any]) -> None:
    """Refunded before shipping: the device never left. After it, it costs until it has come back."""
    _cost(warehouse, "A", "60.00")
    _order(warehouse, 1, {"state": 5})
    _order(warehouse, 2, {"state": 6})
    _order(warehouse, 3, {"state": 6})
    warehouse.execute(
        "insert into backmarket.returns (account, shipment_id, order_id, date_delivery, document, read_at) "
        "values ('default', 1, 3, now(), '{}', now()), ('default', 2, 2, null, '{}', now())"
    )
    names = ("commission", "refunds", "vat", "cost", "margin")
    assert [[_one(warehouse, order)[name] for name in names] for order in (1, 2, 3)] == [
        [0, 100, 0, 0, 0], [0, 100, 0, 60, -60], [0, 100, 0, 0, 0]
    ]  # fmt: skip
    # Until its refund is in a statement, too, the sale is as it was paid.
    _paid(warehouse, 3, ("sales", "100.00"), ("sales_fees", "-10.00"))
    row = _one(warehouse, 3)
    assert [row[name] for name in ("refunds", "refunds_due", "cost", "margin")] == [0, 100, 60, Decimal("23.33")]
    _paid(warehouse, 3, ("refunds", "-100.00"), ("avoir_sales_fees", "10.00"), ("payment_fees", "-2.00"))
    row = _one(warehouse, 3)
    assert [row[name] for name in ("refunds", "refunds_due", "cost", "vat", "margin")] == [100, 0, 0, 0, -2]


@pytest.mark.parametrize(("scheme", "vat", "margin"), [("margin", "3.33", "6.67"), ("standard", "13.33", "-3.33")])
def test_a_part_that_was_paid_back_lowers_the_vat(
    warehouse: psycopg.Connection[Any], scheme: str, vat: str, margin: str
) -> None:
    """As the ledger knows it before a statement does: 20.00 of 100.00; only what is confirmed."""
    _order(warehouse, 1)
    _cost(warehouse, "A", "60.00", scheme)
    for status, amount in (("confirmed", "20.00"), ("unknown", "5.00")):
        warehouse.execute(
            "insert into backmarket.changes (account, kind, subject, payload, status, attempts) values ('default', "
            "'refund', '10', jsonb_build_object('order_id', 1, 'orderline_id', 10, 'refund', 'refund', 'amount', "
            "%s::text, 'currency', 'EUR'), %s, 1)",
            [amount, status],
        )
    row = _one(warehouse)
    assert (row["refunds"], row["vat"], row["margin"]) == (20, Decimal(vat), Decimal(margin))


def test_a_row_about_several_lines_is_shared_out_and_no_cent_is_lost(warehouse: psycopg.Connection[Any]) -> None:
    """By line, else by SKU, else by price; what rounding leaves is the last line's."""
    _order(
        warehouse, 1, {"sku": "A", "price": "100.00"}, {"sku": "B", "price": "100.00"}, {"sku": "B", "price": "100.00"}
    )
    _cost(warehouse, "A", "10")
    _cost(warehouse, "B", "10")
    _paid(warehouse, 1, ("sales", "300.01"), ("payment_fees", "-1.00"))
    _paid(warehouse, 1, ("sales_fees", "-10.01"), sku="b ")
    _paid(warehouse, 1, ("refunds", "-7.00"), line=11)
    rows = _profit(warehouse, 1)
    assert [row["revenue"] for row in rows] == [Decimal(text) for text in ("100.00", "100.00", "100.01")]
    assert [row["fees"] for row in rows] == [Decimal(text) for text in ("0.33", "0.33", "0.34")]
    assert [row["commission"] for row in rows] == [Decimal(text) for text in ("0", "5.01", "5.00")]
    assert [row["refunds"] for row in rows] == [0, 7, 0]


def test_margins_of_settled_lines_are_their_rows_less_vat_and_cost(warehouse: psycopg.Connection[Any]) -> None:
    """Whatever rows there are, of whichever line, in whichever currency: to the last cent, order by order."""
    random = Random(20261126)  # noqa: S311 - to be repeated, not to be secret
    _rate(warehouse, "2026-09-05", "EUR", "GBP", "0.8571")
    _rate(warehouse, "2026-09-04", "EUR", "JPY", "161.37")
    for sku, scheme in (("A", "margin"), ("B", "standard"), ("C", "margin")):
        _cost(warehouse, sku, f"{random.randint(1000, 9000) / 100:.2f}", scheme)
    for order_id in range(1, 81):
        country, currency = random.choice((("fr-fr", "EUR"), ("en-gb", "GBP"), ("ja-jp", "JPY")))
        scale = decimals_of(currency)
        lines = [
            {
                "sku": random.choice("ABC"),
                "price": f"{random.uniform(0, 900):.{scale}f}",
                "quantity": random.choice((1, 1, 3)),
                "state": random.choice((1, 2, 3, 3, 5, 6)),
            }
            for _ in range(random.randint(1, 4))
        ]
        _order(warehouse, order_id, *lines, country=country, currency=currency)
        _paid(warehouse, order_id, ("sales", f"{random.uniform(1, 2000):.{scale}f}"), currency=currency)
        for _ in range(random.randint(0, 5)):
            key = random.choice([key for key in _CATEGORIES if key != "sales"])
            at_line = random.choice((None, order_id * 10 + random.randrange(len(lines))))
            of_sku = random.choice((None, "A", "B", "X"))
            amount = f"{random.uniform(-90, 20):.2f}"
            _paid(warehouse, order_id, (key, amount), line=at_line, sku=of_sku, currency=currency)
    wrong = warehouse.execute(
        """
        select profit.order_id, sum(profit.margin), sum(paid.net) - sum(profit.vat) - sum(profit.cost)
        from (
            select order_id, sum(margin) as margin, sum(vat) as vat, sum(cost) as cost, bool_and(is_settled) as settled
            from backmarket.profit group by order_id
        ) as profit
        left join backmarket.settlement_order_totals as paid on profit.order_id = paid.order_id
        group by profit.order_id
        having bool_or(not settled) or sum(margin) is distinct from sum(paid.net) - sum(vat) - sum(cost)
        """
    ).fetchall()
    assert wrong == []
    rows = warehouse.execute(
        "select currency, revenue - refunds, cost, vat_scheme, vat_pct, vat from backmarket.profit"
    ).fetchall()
    assert len(rows) > 100
    for currency, kept, cost, scheme, pct, vat in rows:
        taxed = max(Decimal(0), kept - cost) if scheme == "margin" else kept
        assert vat == _half_up(taxed * pct / (100 + pct), decimals_of(currency))


def test_costs_of_devices_go_before_costs_of_skus(warehouse: psycopg.Connection[Any]) -> None:
    """By IMEI or serial number, of a line of one unit; a line of several takes the SKU's for each."""
    _cost(warehouse, "A", "60.00")
    warehouse.execute(
        "insert into seller.device_costs values ('default', '356938035643809', 42.10, 'EUR'), "
        "('default', 'DMQ', 43.20, 'EUR'), ('other', '490154203237518', 1, 'EUR')"
    )
    _order(warehouse, 1, {"imei": "356938035643809"})
    _order(warehouse, 2, {"serial": "DMQ"})
    _order(warehouse, 3, {"imei": "490154203237518"})
    _order(warehouse, 4, {"imei": "356938035643809", "quantity": 3})
    assert [_one(warehouse, order)["cost"] for order in (1, 2, 3, 4)] == [
        Decimal("42.10"), Decimal("43.20"), 60, 180
    ]  # fmt: skip


def test_a_listing_costs_what_the_skus_do_that_feed_it(warehouse: psycopg.Connection[Any]) -> None:
    """By seller.sku_map: each unit that one of the listing takes. Where SKUs that feed it differ, nobody can say."""
    for sku, cost in [("OWN", "30.00"), ("SAME", "30"), ("DEAR", "31.00"), ("SICK", "9.00"), ("MOVED", "8.00")]:
        _cost(warehouse, sku, cost)
    warehouse.execute("alter table seller.sku_map drop constraint sku_map_pkey, alter units type text")
    warehouse.execute(
        "insert into seller.sku_map (sku, listing_sku, units) values (' own', 'pair', ' 2 '), ('OWN', 'ONE', ''), "
        "('SAME', 'ONE', null), ('OWN', 'EITHER', '1'), ('DEAR', 'EITHER', null), ('SICK', 'ILL', 'two'), "
        "('SICK', 'WELL', '1'), ('MOVED', 'ELSEWHERE', '1'), ('MOVED', 'TWICE', '1'), ('MOVED', 'TWICE', '2')"
    )
    listings = ["PAIR", "ONE", "EITHER", "ILL", "WELL", "ELSEWHERE", "TWICE", "MOVED", "OWN", "DEAR"]
    for number, sku in enumerate(listings, 1):
        _order(warehouse, number, {"sku": sku, "quantity": 2})
    found = {sku: _one(warehouse, number)["cost"] for number, sku in enumerate(listings, 1)}
    assert found == {**dict.fromkeys(listings), "PAIR": 120, "ONE": 60}


def test_a_listing_has_no_cost_where_one_of_the_skus_that_feed_it_has_none(warehouse: psycopg.Connection[Any]) -> None:
    """As for repricing, and it says which; the listing's own name, which no row maps to it, may lack one."""
    for sku, cost in [("HAS", "30.00"), ("NAME", "30"), ("TWICE", "30"), ("SICK", "30"), ("DEAR", "40.00")]:
        _cost(warehouse, sku, cost)
    _cost(warehouse, "twice", "31")
    warehouse.execute("alter table seller.sku_map drop constraint sku_map_pkey, alter units type text")
    rows = {
        "BY NAME": ["HAS"], "NAME": ["HAS"], "LACKS": ["HAS", " Has Not"], "LACKS OWN": ["HAS", "LACKS OWN"],
        "DIFFERS": ["HAS", "TWICE"], "EITHER": ["HAS", "DEAR"],
    }  # fmt: skip
    for listing, skus in rows.items():
        for sku in skus:
            warehouse.execute("insert into seller.sku_map (sku, listing_sku) values (%s, %s)", [sku, listing])
    warehouse.execute("insert into seller.sku_map (sku, listing_sku, units) values ('SICK', 'ILL', 'two')")
    listings = [*rows, "ILL", "NONE", "TWICE"]
    for number, sku in enumerate(listings, 1):
        _order(warehouse, number, {"sku": sku})
    found = {sku: _one(warehouse, number) for number, sku in enumerate(listings, 1)}
    assert {sku: row["cost_reason"] for sku, row in found.items()} == {
        "BY NAME": None,
        "NAME": None,
        "LACKS": "seller.costs has no row for Has Not, which feeds the SKU, that can be used.",
        "LACKS OWN": "seller.costs has no row for the SKU that can be used.",
        "DIFFERS": "Rows of seller.costs for TWICE, which feeds the SKU, differ.",
        "EITHER": "SKUs that feed it cost different amounts: seller.device_costs can tell them apart.",
        "ILL": "A row of seller.sku_map for the SKU cannot be used.",
        "NONE": "seller.costs has no row for the SKU that can be used.",
        "TWICE": "seller.costs has no row for the SKU that can be used.",
    }
    assert {sku for sku, row in found.items() if row["cost"] is not None} == {"BY NAME", "NAME"}


@pytest.mark.parametrize("is_readable", [True, False])
def test_the_sku_of_a_listings_name_needs_a_cost_where_there_are_units_of_it(
    warehouse: psycopg.Connection[Any], is_readable: bool
) -> None:
    """As for repricing: else its name is the name alone. Where seller.stock cannot be read, nobody can tell."""
    _cost(warehouse, "OTHER", "30")
    _cost(warehouse, "KNOWN", "30")
    for sku in ("COUNTED", "KNOWN", "NAME"):
        warehouse.execute("insert into seller.sku_map (sku, listing_sku) values ('OTHER', %s)", [sku])
    for sku in (" counted", "KNOWN"):
        warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values (%s, 0, now())", [sku])
    if not is_readable:
        warehouse.execute("alter table seller.stock rename quantity to number")
    listings = ["COUNTED", "KNOWN", "NAME", "OTHER"]
    for number, sku in enumerate(listings, 1):
        _order(warehouse, number, {"sku": sku})
    unread = "seller.stock, which says whether there are units of the SKU itself, cannot be read."
    assert {sku: _one(warehouse, number)["cost_reason"] for number, sku in enumerate(listings, 1)} == {
        "COUNTED": "seller.costs has no row for the SKU, which seller.stock counts, that can be used."
        if is_readable
        else unread,
        "KNOWN": None,
        "NAME": None if is_readable else unread,
        "OTHER": "seller.costs has no row for the SKU that can be used.",
    }


def test_a_cost_beside_a_row_that_cannot_be_read_is_not_known(warehouse: psycopg.Connection[Any]) -> None:
    """Of a SKU or a device, in whatever spelling: the one that is left out may be the right one."""
    warehouse.execute(
        "alter table seller.costs alter unit_cost type text; alter table seller.device_costs alter unit_cost type text"
    )
    for sku, cost in [("A", "60"), ("a", "75,00"), ("OWN", "60"), ("own", "75,00"), ("GOOD", "60"), ("LEFT", "75,00")]:
        _cost(warehouse, sku, cost)
    warehouse.execute("insert into seller.sku_map (sku, listing_sku) values ('OWN', 'FED')")
    devices = [("I5", "42"), ("S5", "43,00"), ("S6", "42"), (" S6", "43,00"), (" S7", "43,00")]
    for device, cost in devices:
        warehouse.execute("insert into seller.device_costs values ('default', %s, %s, 'EUR')", [device, cost])
    for number, sku in enumerate(("A", "FED", "LEFT", "GOOD"), 1):
        _order(warehouse, number, {"sku": sku})
    for number in (5, 6, 7):
        _order(warehouse, number, {"sku": "GOOD", "imei": f"I{number}", "serial": f"S{number}"})
    differ = "Rows of seller.device_costs for the device differ."
    assert [[_one(warehouse, order)[name] for name in ("cost", "cost_reason")] for order in range(1, 8)] == [
        [None, "A row of seller.costs for the SKU cannot be used."],
        [None, "A row of seller.costs for OWN, which feeds the SKU, cannot be used."],
        [None, "seller.costs has no row for the SKU that can be used."],
        [60, None],
        [None, differ],
        [None, differ],
        [60, None],
    ]


def test_where_the_row_that_maps_a_sku_cannot_be_used_that_is_the_reason(warehouse: psycopg.Connection[Any]) -> None:
    """Its cost stands in seller.costs: filled there, nothing would change. What others feed is known."""
    for sku in ("A", "FED", "OTHER"):
        _cost(warehouse, sku, "60.00")
    warehouse.execute("alter table seller.sku_map alter units type text")
    warehouse.execute(
        "insert into seller.sku_map (sku, listing_sku, units) values ('a', 'B', 'x'), ('FED', 'B', 'x'), "
        "('OTHER', 'FED', '1')"
    )
    _order(warehouse, 1, {"sku": "A"})
    _order(warehouse, 2, {"sku": "FED"})
    assert [_one(warehouse, order)["cost_reason"] for order in (1, 2)] == [
        "A row of seller.sku_map for the SKU cannot be used.",
        None,
    ]


def test_what_is_not_known_is_null_with_its_reason(warehouse: psycopg.Connection[Any]) -> None:
    """Never a guess: no cost, no rate, no market, no price."""
    _cost(warehouse, "DEAR", "60.00", currency="USD")
    warehouse.execute("insert into seller.device_costs values ('default', 'DMQ', 43.20, 'EUR')")
    _order(warehouse, 1, {"sku": "NONE"})
    _order(warehouse, 2, {"sku": "DEAR"})
    _order(warehouse, 3, {"sku": "DEAR"}, country="ch-ch")
    _order(warehouse, 4, {"sku": "DEAR", "price": None})
    _order(warehouse, 5, {"sku": None})
    _order(warehouse, 6, {"sku": "NONE", "serial": "DMQ"})
    _rate(warehouse, "2026-08-27", "USD", "EUR", "0.9")
    _rate(warehouse, "2026-09-08", "USD", "EUR", "0.9")
    no_cost = "seller.costs has no row for the SKU that can be used."
    assert [_one(warehouse, order)["cost_reason"] for order in range(1, 7)] == [
        no_cost,
        "seller.fx_rates has no rate from USD to EUR of the day of sale or the ten days before.",
        "Country ch-ch is no market of Back Market's.",
        "The order says no price of the line.",
        "The line has no SKU.",
        "seller.costs, which says how VAT is due, has no row for the SKU that can be used.",
    ]
    assert {_one(warehouse, order)["margin"] for order in range(1, 7)} == {None}


def test_what_was_not_sold_is_not_there(warehouse: psycopg.Connection[Any]) -> None:
    """Cancelled, not paid, waiting, gone; what a statement paid for is there all the same."""
    for order_id, state in enumerate((0, 4, 7, 8, 9), start=1):
        _order(warehouse, order_id, {"state": state})
    _order(warehouse, 6, gone_at="2026-09-08")
    _order(warehouse, 7, {"state": 3}, {"state": 4})
    assert [len(_profit(warehouse, order)) for order in range(1, 8)] == [0, 0, 0, 0, 0, 0, 1]
    _paid(warehouse, 2, ("sales", "100.00"), ("refunds", "-100.00"))
    _paid(warehouse, 7, ("sales", "100.00"))
    assert _one(warehouse, 2)["margin"] == 0
    assert _one(warehouse, 7)["revenue"] == 100


def test_the_newest_rate_of_ten_days_counts(warehouse: psycopg.Connection[Any]) -> None:
    """Direct or inverse, else through the euro; an older one is none."""

    def rate(one: str, other: str, day: str = "2026-09-07") -> Any:
        return warehouse.execute("select backmarket.exchange_rate(%s, %s, %s)", [one, other, day]).fetchone()[0]  # type: ignore[index]

    assert rate("EUR", "EUR") == 1
    assert rate("EUR", "GBP") is None
    _rate(warehouse, "2026-08-28", "EUR", "GBP", "0.8")
    assert rate("EUR", "GBP") == Decimal("0.8")
    assert rate("EUR", "GBP", "2026-09-08") is None
    assert rate("GBP", "EUR") == Decimal("1.25")
    _rate(warehouse, "2026-09-04", "GBP", "EUR", "1.6")
    assert rate("EUR", "GBP") == Decimal("0.625")
    _rate(warehouse, "2026-09-07", "EUR", "SEK", "11")
    assert rate("GBP", "SEK") == Decimal("17.6")
    assert rate("SEK", "GBP") == round(Decimal("0.625") / 11, 20)
    assert rate("SEK", "USD") is None
    _rate(warehouse, "2026-09-01", "GBP", "SEK", "13")
    assert rate("GBP", "SEK") == 13


def test_one_bad_row_costs_no_other(warehouse: psycopg.Connection[Any]) -> None:
    """Each table as a view of texts: what cannot be read, and what two rows say differently, is left out."""
    for table in ("costs", "device_costs", "fx_rates", "vat_rates"):
        warehouse.execute(f"drop table seller.{table}")
    warehouse.execute(
        """
        create view seller.costs as select * from (values
            ('default', ' a ', '60.00', 'eur', 'MARGIN'), ('default', 'BAD', 'n/a', 'EUR', 'margin'),
            ('default', 'BAD2', '5', 'EUR', 'differenz'), ('default', 'TWICE', '5', 'EUR', 'margin'),
            ('default', 'TWICE', '6', 'EUR', 'margin'), ('default', 'NAN', 'NaN', 'EUR', 'margin'),
            ('default', 'LESS', '-5', 'EUR', 'margin'), (null, null, null, null, null),
            ('default', 'POUND', '60', 'EUR', 'standard')
        ) as row (account, sku, unit_cost, currency, vat_scheme);
        create view seller.device_costs as select * from (values
            ('default', 'DMQ', '43.20', 'EUR'), ('default', 'BAD', '4,20', 'EUR'), (null, null, null, null)
        ) as row (account, imei_or_serial, unit_cost, currency);
        create view seller.fx_rates as select * from (values
            ('2026-09-07', 'EUR', 'gbp', '0.9'), ('2026-02-30', 'EUR', 'GBP', '1'), ('yesterday', 'EUR', 'GBP', '2'),
            ('2026-09-06', 'EUR', 'GBP', '0'), ('2026-09-07 00:00:00', 'EUR', 'SEK', 'x'), (null, null, null, null)
        ) as row (day, from_currency, to_currency, rate);
        create view seller.vat_rates as select * from (values
            ('default', 'FR-FR', '10', ''), ('default', 'fr-fr', '5.5', '2026-09-08'), ('default', 'en-gb', 'x', null),
            ('default', 'de-de', '7', '2026-13-01'), (null, null, null, null)
        ) as row (account, market, vat_pct, valid_from)
        """
    )
    for order_id, sku in enumerate(("A", "BAD", "BAD2", "TWICE", "NAN", "LESS"), start=1):
        _order(warehouse, order_id, {"sku": sku})
    _order(warehouse, 7, {"sku": "POUND"}, country="en-gb", currency="GBP")
    _order(warehouse, 8, {"serial": "DMQ"}, {"serial": "BAD"}, country="de-de")
    assert [_one(warehouse, order)["cost"] for order in range(1, 7)] == [60, None, None, None, None, None]
    assert (_one(warehouse, 1)["vat_pct"], _one(warehouse, 1)["vat"]) == (10, Decimal("3.64"))
    assert (_one(warehouse, 7)["cost"], _one(warehouse, 7)["vat"]) == (54, Decimal("16.67"))
    assert [(row["cost"], row["vat_pct"]) for row in _profit(warehouse, 8)] == [(Decimal("43.20"), 19), (60, 19)]
    assert len(profit.cost_rows(warehouse, "default").rows) == 4
    assert [each.key for each in profit.fx_rate_rows(warehouse, "default").left_out] == [
        "2026-02-30/EUR/GBP", "2026-09-06/EUR/GBP", "2026-09-07 00:00:00/EUR/SEK", "yesterday/EUR/GBP", "unnamed"
    ]  # fmt: skip
    assert [row.market for row in profit.vat_rate_rows(warehouse, "default").rows] == ["fr-fr", "fr-fr"]
    assert [row.imei_or_serial for row in profit.device_cost_rows(warehouse, "default").rows] == ["DMQ"]


def test_fees_are_the_median_of_what_is_settled_in_the_market(warehouse: psycopg.Connection[Any]) -> None:
    """Of the last 90 days, as of the newest comparison; of a market without statements they are not known."""
    _cost(warehouse, "A", "60.00")
    for order_id, fee in enumerate(("-1.00", "-2.50", "-9.00"), start=1):
        _order(warehouse, order_id)
        _paid(warehouse, order_id, ("sales", "100.00"), ("payment_fees", fee), ("sales_fees", "-10.00"))
    warehouse.execute("update backmarket.settlement_lines set value_date = current_date - 30")
    _order(warehouse, 4, {"price": "199.90"})
    _order(warehouse, 5, country="de-de")
    _order(warehouse, 6, {"fee": None})
    reconcile(warehouse, "default", LIMITS)
    assert [(_one(warehouse, order)["fees"], _one(warehouse, order)["fees_known"]) for order in (4, 5, 6)] == [
        (Decimal("5.00"), True), (0, False), (Decimal("2.50"), False)
    ]  # fmt: skip


def test_sums_are_the_same_whichever_way_they_are_added_up(warehouse: psycopg.Connection[Any]) -> None:
    """By market, month and SKU; in the seller's own currency what can be converted, the rest told apart."""
    _cost(warehouse, "A", "60.00")
    _rate(warehouse, "2026-09-07", "EUR", "GBP", "0.8")
    for order_id in range(1, 8):
        country, currency = (("fr-fr", "EUR"), ("en-gb", "GBP"))[order_id % 2]
        _order(warehouse, order_id, {"price": f"{100 + order_id / 10:.2f}"}, country=country, currency=currency)
    _order(warehouse, 8, {"sku": "NONE"})
    cells = profit.sales_between(warehouse, "default", DAY, DAY, "EUR")
    whole = profit.by(cells, lambda _: "")
    assert list(whole) == [("", "EUR"), ("", "GBP")]
    for key in ("market", "sku", "sold_on"):
        parts = profit.by(cells, lambda cell: str(cell[key]))  # noqa: B023 - used at once
        assert sum(sums.margin for sums in parts.values()) == sum(sums.margin for sums in whole.values())
        assert sum(sums.own_margin for sums in parts.values()) == sum(sums.own_margin for sums in whole.values())
    assert profit.missing_costs(cells) == [("seller.costs has no row for the SKU that can be used.", 1, ["NONE"])]
    assert (whole["", "EUR"].lines, whole["", "EUR"].without_cost) == (4, 1)
    assert whole["", "EUR"].revenue_without_cost == 100
    margin = whole["", "GBP"].margin
    assert whole["", "GBP"].own_margin == sum(
        _half_up(cell["margin"] / Decimal("0.8")) for cell in cells if cell["currency"] == "GBP"
    )
    in_yen = profit.by(profit.sales_between(warehouse, "default", DAY, DAY, "JPY"), lambda _: "")
    assert (in_yen["", "GBP"].not_converted, in_yen["", "GBP"].margin) == (4, margin)
    assert (
        profit.by(profit.sales_between(warehouse, "default", DAY, DAY, None), lambda _: "")["", "EUR"].not_converted
        == 3
    )


def test_a_difference_is_explained_by_its_findings(warehouse: psycopg.Connection[Any]) -> None:
    """Expected against actual of settled orders; the dearest first."""
    _cost(warehouse, "A", "60.00")
    for order_id, amount in enumerate(("100.00", "90.00", "99.00"), start=1):
        _order(warehouse, order_id)
        _paid(warehouse, order_id, ("sales", amount), ("sales_fees", "-10.00"))
    reconcile(warehouse, "default", LIMITS)
    rows = profit.differences_between(warehouse, "default", DAY, DAY, most=1)
    assert [(row["order_id"], row["difference"], row["kinds"], row["total"]) for row in rows] == [
        (2, -10, "sale amount difference", 2)
    ]


def test_markets_and_decimals_are_those_of_the_platforms(warehouse: psycopg.Connection[Any]) -> None:
    """SQL and Python know the same; each country is one market, in whatever case."""
    for code, market in MARKETS.items():
        found = warehouse.execute(
            "select backmarket.market_of(%(code)s), backmarket.market_of(upper(right(%(code)s, 2))), "
            "backmarket.currency_decimals(%(currency)s), backmarket.vat_pct('default', %(code)s, current_date) is null",
            {"code": code, "currency": market.currency},
        ).fetchone()
        assert found == (code, code, market.decimals, False)
    assert warehouse.execute("select backmarket.market_of('ch'), backmarket.market_of(null)").fetchone() == (None, None)


def test_an_account_sees_its_own_costs_alone(warehouse: psycopg.Connection[Any]) -> None:
    """Orders, costs and rates of VAT of another are another's."""
    _order(warehouse, 1)
    _order(warehouse, 1, account="us")
    warehouse.execute("insert into seller.costs values ('us', 'A', 1, 'EUR', 'standard')")
    assert _one(warehouse)["cost"] is None
    (row,) = warehouse.execute("select cost from backmarket.profit where account = 'us'").fetchall()
    assert row == (1,)


def test_days_of_a_long_history_are_found_by_an_index(warehouse: psycopg.Connection[Any]) -> None:
    """Lines and statement rows of other days are not read, however many there are."""
    warehouse.execute(
        """
        insert into backmarket.orders (account, order_id, state, country_code, currency, date_payment, document,
            first_seen_at, read_at)
        select 'default', n, 9, 'fr-fr', 'EUR', timestamptz '2026-09-07 12:00Z' - n * interval '20 minutes', '{}',
            now(), now()
        from generate_series(1, 30000) as n;
        insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, currency, state,
            orderline_fee, first_seen_at, first_seen_state)
        select account, order_id * 10, order_id, 'A', 1, 100, 'EUR', 3, 10, now(), 1 from backmarket.orders;
        insert into backmarket.settlement_lines (account, invoice_ref, currency, line_id, line_no, invoice_key,
            category, role, value_date, order_id, number, tied_by, designation, amount, first_export)
        select account, 'S', 'EUR', order_id, 1, 'sales', 'revenue', 'sale', date_payment::date, order_id, order_id,
            'order', 'x', 100, now() from backmarket.orders;
        """
    )
    warehouse.execute("vacuum analyze backmarket.orders, backmarket.order_lines, backmarket.settlement_lines")
    warehouse.execute("set random_page_cost = 1.1")
    plan = warehouse.execute(
        "explain (analyze, buffers, format json) select sum(margin) from backmarket.profit "
        "where account = 'default' and sold_on between '2026-09-01' and '2026-09-02'"
    ).fetchone()
    assert plan
    read = {node.get("Relation Name"): node for node in _nodes(plan[0][0]["Plan"]) if "Seq Scan" in node["Node Type"]}
    assert not read.keys() & {"orders", "order_lines", "settlement_lines"}, read


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in _nodes(part))]


GOOD_ROWS: dict[str, dict[str, str | None]] = {
    "costs": {"account": "default", "sku": "A", "unit_cost": "60.00", "currency": "EUR", "vat_scheme": "margin"},
    "device_costs": {"account": "default", "imei_or_serial": "DMQ", "unit_cost": "42.00", "currency": "EUR"},
    "fx_rates": {"day": "2026-09-07", "from_currency": "EUR", "to_currency": "GBP", "rate": "0.9"},
    "vat_rates": {"account": "default", "market": "en-gb", "vat_pct": "10", "valid_from": "2026-01-01"},
}


@pytest.mark.parametrize("table", GOOD_ROWS)
def test_no_text_in_a_table_makes_a_sale_unreadable(warehouse: psycopg.Connection[Any], table: str) -> None:
    """Whatever stands in whichever column of a row about something else: the good row counts, and nothing fails."""
    from psycopg.sql import SQL, Identifier, Literal

    _order(warehouse, 1, country="en-gb", currency="GBP")
    _order(warehouse, 2, {"serial": "DMQ"}, country="en-gb", currency="GBP")
    for name, row in GOOD_ROWS.items():
        if name != table:
            columns, values = SQL(", ").join(map(Identifier, row)), SQL(", ").join(map(Literal, row.values()))
            warehouse.execute(
                SQL("insert into {} ({}) values ({})").format(Identifier("seller", name), columns, values)
            )
    good = GOOD_ROWS[table]
    warehouse.execute(SQL("drop table {}").format(Identifier("seller", table)))
    other = good | {"costs": {"sku": "OTHER"}, "device_costs": {"imei_or_serial": "OTHER"}}.get(table, {})
    bad = [other | {column: text} for column in good for text in NASTY]
    # A copy of the good row with another number or text that can be read would be a contradiction.
    odd = [row for row in bad if not _can_be_read(table, row)]
    assert len(odd) > 40
    rows = SQL(", ").join(
        SQL("({})").format(SQL(", ").join(SQL("{}::text").format(Literal(row[column])) for column in good))
        for row in (good, *odd)
    )
    names = SQL(", ").join(map(Identifier, good))
    warehouse.execute(
        SQL("create view {} as select * from (values {}) as given ({})").format(
            Identifier("seller", table), rows, names
        )
    )
    assert [(_one(warehouse, order)["cost"], _one(warehouse, order)["vat_pct"]) for order in (1, 2)] == [
        (54, 10), (Decimal("37.80"), 10)
    ]  # fmt: skip
    assert warehouse.execute("select backmarket.exchange_rate('GBP', 'EUR', '2026-09-07')").fetchone()


def _can_be_read(table: str, row: dict[str, str | None]) -> bool:
    form = next(form for form in FORMS if form.table == f"seller.{table}")
    texts = {column: row[column] for column in form.columns}
    return row.get("account", "default") == "default" and not isinstance(form.judge(texts), LeftOut)


def test_vat_is_known_where_the_skus_that_feed_a_listing_differ_in_cost_alone(
    warehouse: psycopg.Connection[Any],
) -> None:
    """seller.device_costs tells which it was; where they differ in their scheme, too, VAT is not known."""
    _cost(warehouse, "CHEAP", "40.00")
    _cost(warehouse, "DEAR", "60.00")
    _cost(warehouse, "OTHER", "60.00", "standard")
    for sku, listing in (("CHEAP", "L"), ("DEAR", "L"), ("DEAR", "M"), ("OTHER", "M")):
        warehouse.execute("insert into seller.sku_map (sku, listing_sku) values (%s, %s)", [sku, listing])
    warehouse.execute("insert into seller.device_costs values ('default', 'S1', 52.00, 'EUR')")
    _order(warehouse, 1, {"sku": "L", "serial": "S1"})
    _order(warehouse, 2, {"sku": "L"})
    _order(warehouse, 3, {"sku": "M", "serial": "S1"})
    names = ("cost", "vat_scheme", "vat", "margin", "cost_reason")
    assert [[_one(warehouse, order)[name] for name in names] for order in (1, 2, 3)] == [
        [52, "margin", 8, 30, None],
        [
            *(None, "margin", None, None),
            "SKUs that feed it cost different amounts: seller.device_costs can tell them apart.",
        ],
        [52, None, None, None, "SKUs that feed it have different schemes of VAT in seller.costs."],
    ]


@pytest.mark.parametrize("is_view", [False, True])
def test_blanks_around_a_number_make_no_other_device(warehouse: psycopg.Connection[Any], is_view: bool) -> None:
    """Whatever white space there is, as seller.device_costs is read; in the table, and in a view in its place."""
    _cost(warehouse, "A", "60.00")
    for number in (" S1", "S2\u00a0", "\r\n\tS3 \u2003", "S4"):
        warehouse.execute("insert into seller.device_costs values ('default', %s, 42.00, 'EUR')", [number])
    warehouse.execute("insert into seller.device_costs values ('other', ' S5', 42.00, 'EUR')")
    if is_view:
        warehouse.execute("alter table seller.device_costs rename to bought")
        warehouse.execute("create view seller.device_costs as select * from seller.bought")
    for order_id, number in enumerate(("S1", "S2", "S3", "S4", "S5"), start=1):
        _order(warehouse, order_id, {"serial" if order_id % 2 else "imei": number})
    assert [_one(warehouse, order)["cost"] for order in range(1, 6)] == [42, 42, 42, 42, 60]
    read = {row.imei_or_serial for row in profit.device_cost_rows(warehouse, "default").rows}
    assert read == {"S1", "S2", "S3", "S4"}


def test_rows_of_one_device_that_differ_are_no_cost(warehouse: psycopg.Connection[Any]) -> None:
    """Of its IMEI and its serial number, or of one number with and without blanks; the SKU's is not taken instead."""
    _cost(warehouse, "A", "60.00")
    rows = [("I1", "42"), ("S1", "43"), ("I2", "42"), (" I2", "41"), ("I3", "42"), ("S3", "42.00"), (" S3", "42")]
    for number, cost in rows:
        warehouse.execute("insert into seller.device_costs values ('default', %s, %s, 'EUR')", [number, cost])
    warehouse.execute("insert into seller.device_costs values ('default', 'I4', 42, 'EUR')")
    warehouse.execute("insert into seller.device_costs values ('default', 'S4', 42, 'USD')")
    for order_id in range(1, 6):
        _order(warehouse, order_id, {"imei": f"I{order_id}", "serial": f"S{order_id}"})
    differ = "Rows of seller.device_costs for the device differ."
    names = ("cost", "margin", "cost_reason")
    assert [[_one(warehouse, order)[name] for name in names] for order in range(1, 6)] == [
        [None, None, differ],
        [None, None, differ],
        [42, Decimal("38.33"), None],
        [None, None, differ],
        [60, Decimal("23.33"), None],
    ]
