"""The daily digest: what a UTC day brought, in each currency by itself, and what waits."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from backmarket.services.digest import BackBox, Day, Sales, day_in_figures, digest_message, tell_of_day
from backmarket.warehouse.needs import Need
from backmarket.warehouse.snapshot import reader
from tests.plain_words import faults

if TYPE_CHECKING:
    import psycopg

    from backmarket.services.alerts import Message

DAY = date(2026, 3, 1)
URL = "http://airflow/backmarket/"


def given_order(
    database: psycopg.Connection[Any],
    order_id: int,
    created: str,
    *lines: tuple[int, str, str, str, int],
    account: str = "default",
) -> None:
    """Store an order with lines: quantity, price, commission, currency, state."""
    moment = datetime.fromisoformat(created)
    database.execute(
        "insert into backmarket.orders (account, order_id, state, date_creation, document, first_seen_at, read_at) "
        "values (%s, %s, 3, %s, '{}', now(), now())",
        [account, order_id, moment],
    )
    for number, (quantity, price, fee, currency, state) in enumerate(lines):
        database.execute(
            "insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, "
            "shipping_price, orderline_fee, currency, state, first_seen_at, first_seen_state) "
            "values (%s, %s, %s, 'A', %s, %s, 5, %s, %s, %s, now(), 1)",
            [account, 10 * order_id + number, order_id, quantity, price, fee, currency, state],
        )


def test_a_day_in_figures(warehouse: psycopg.Connection[Any]) -> None:
    """Of the account alone, by UTC day, without what was cancelled or refunded; currencies are never added up."""
    given_order(warehouse, 1, "2026-03-01T00:00:00+00:00", (1, "100.00", "10.00", "EUR", 2))
    given_order(warehouse, 2, "2026-03-02T00:30:00+02:00", (2, "50.00", "11.00", "GBP", 3), (1, "9", "1", "GBP", 4))
    given_order(warehouse, 3, "2026-03-02T00:00:00+00:00", (1, "70.00", "7.00", "EUR", 1))
    given_order(warehouse, 4, "2026-02-28T23:59:59+00:00", (1, "70.00", "7.00", "EUR", 3))
    given_order(warehouse, 5, "2026-03-01T12:00:00+00:00", (1, "70.00", "7.00", "EUR", 3), account="us")
    with reader("default") as database:
        assert day_in_figures(database, DAY) == Day(
            DAY,
            orders=2,
            units=3,
            sales=[
                Sales("EUR", Decimal("105.00"), Decimal("10.00"), Decimal("95.00")),
                Sales("GBP", Decimal("105.00"), Decimal("11.00"), Decimal("94.00")),
            ],
        )


def test_a_day_of_the_backbox(warehouse: psycopg.Connection[Any]) -> None:
    """Who stood how when it ended, of what takes part still; prices that were moved for it, and no others."""
    listings = [str(UUID(int=number)) for number in range(4)]
    for listing, market, read_at, is_winning, takes_part in (
        (0, "fr-fr", "2026-02-01T00:00:00+00:00", True, True),
        (0, "de-de", "2026-03-01T23:59:59+00:00", True, True),
        (0, "de-de", "2026-03-02T00:00:00+00:00", False, True),
        (1, "fr-fr", "2026-03-01T10:00:00+00:00", True, True),
        (1, "fr-fr", "2026-03-01T11:00:00+00:00", False, True),
        (2, "fr-fr", "2026-02-01T10:00:00+00:00", True, True),
        (2, "fr-fr", "2026-03-01T10:00:00+00:00", False, False),
        (3, "fr-fr", "2026-03-01T10:00:00+00:00", True, True),
    ):
        warehouse.execute(
            "insert into backmarket.backbox_history (account, id, market, read_at, currency, is_winning, takes_part) "
            "values ('default', %s, %s, %s, 'EUR', %s, %s)",
            [listings[listing], market, read_at, is_winning, takes_part],
        )
    warehouse.execute(
        "insert into backmarket.listings (account, id, title_market, first_seen_at, read_at, gone_at) "
        "values ('default', %s, 'fr-fr', now(), now(), now())",
        [listings[3]],
    )
    warehouse.execute(
        """
        insert into backmarket.changes (account, kind, subject, payload, status, attempts, sent_at, confirmed_at)
        select account, 'price', subject, payload::jsonb, 'confirmed', 1, sent_at::timestamptz, now()
        from (
            values
            ('default', 'A', '{"why": "x"}', '2026-03-01T00:00:00Z'),
            ('default', 'B', '{"why": "x"}', '2026-03-02T00:00:00Z'),
            ('default', 'C', '{}', '2026-03-01T12:00:00Z'),
            ('us', 'D', '{"why": "x"}', '2026-03-01T12:00:00Z')
        ) as given (account, subject, payload, sent_at)
        """
    )
    with reader("default") as database:
        assert day_in_figures(database, DAY).backbox == BackBox(competing=3, won=2, moves=1)
        assert day_in_figures(database, date(2026, 3, 2)).backbox == BackBox(competing=3, won=1, moves=1)
        assert day_in_figures(database, date(2025, 3, 2)).backbox is None


def test_a_day_before_the_first_run_is_empty(warehouse_uri: str) -> None:
    """There is no table yet."""
    with reader("default") as database:
        assert day_in_figures(database, DAY) == Day(DAY, 0, 0, [])


def test_the_message_is_for_people() -> None:
    """Counts and amounts as they write them; the same for machines, money as text."""
    sales = [Sales("EUR", Decimal("12345.60"), Decimal("1234.50"), Decimal("11111.10"))]
    needs = [Need("late", "Orders overdue", "", "", total=1200)]
    message = digest_message("default", Day(DAY, 1_204, 1_300, sales), needs, URL)
    assert message.title == "Back Market (default): 1,204 orders on 2026-03-01"
    assert message.text.splitlines() == [
        "1,204 orders and 1,300 units on 2026-03-01 (UTC).",
        "EUR: net 11,111.10, that is 12,345.60 of sales less 1,234.50 of commission.",
        "Waits for a person:",
        "- Orders overdue: 1,200",
        f"All of it: {URL}",
    ]
    assert message.facts["currencies"] == {"EUR": {"sales": "12345.60", "net": "11111.10"}}
    assert message.facts["waiting"] == {"Orders overdue": 1200}
    stood = digest_message("default", Day(DAY, 0, 0, [], BackBox(1_250, 625, 1)), [], URL)
    assert "BackBox: 625 of 1,250 listings won, 1 price moved.\nNothing waits" in stood.text
    assert stood.facts["backbox"] == {"competing": 1250, "won": 625, "moves": 1}
    assert faults(stood.text) == []
    quiet = digest_message("us", Day(DAY, 1, 1, []), [], URL)
    assert "1 order and 1 unit on 2026-03-01 (UTC).\nNothing waits for a person." in quiet.text
    assert faults(message.text) == faults(quiet.text) == []


def test_a_day_is_told_of_exactly_once(warehouse: psycopg.Connection[Any]) -> None:
    """Also where the first try fails; each account has its own, and the next day is another."""
    told: list[Message] = []

    def break_off(_: Message) -> None:
        raise ConnectionError

    day = Day(DAY, 0, 0, [])
    with pytest.raises(ConnectionError):
        tell_of_day(warehouse, "default", day, [], break_off, URL)
    assert tell_of_day(warehouse, "default", day, [], told.append, URL)
    assert not tell_of_day(warehouse, "default", day, [], told.append, URL)
    warehouse.execute("update backmarket.alerts set told_at = told_at - interval '29 days'")
    assert not tell_of_day(warehouse, "default", day, [], told.append, URL)
    assert tell_of_day(warehouse, "us", day, [], told.append, URL)
    assert tell_of_day(warehouse, "default", Day(date(2026, 3, 2), 0, 0, []), [], told.append, URL)
    assert [message.facts["account"] for message in told] == ["default", "us", "default"]
