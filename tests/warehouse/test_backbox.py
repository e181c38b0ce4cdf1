"""The newest reading of each market stands, history has what changed, and no request goes uncounted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from backmarket.api.models.backbox import read_competitors
from backmarket.rules.backbox import Candidate
from backmarket.warehouse import backbox, sql
from backmarket.warehouse.backbox import MergeCounts
from backmarket.warehouse.connection import connect

if TYPE_CHECKING:
    import psycopg

    Database = psycopg.Connection[Any]

LISTING = UUID("6d4ad966-db97-4d88-b409-b28cc2a0f8c9")
START = datetime(2026, 11, 27, 10, tzinfo=UTC)


def market(name: str = "FR", price: str = "300.00", to_win: str | None = "289.00", **fields: Any) -> dict[str, Any]:
    """Make what is said of one market."""
    shown = {"price": price, "min_price": "250", "price_to_win": to_win, "winner_price": "289.00"}
    amounts = {key: {"amount": value, "currency": "EUR"} for key, value in shown.items()}
    return {"listing_id": str(LISTING), "market": name, "is_winning": False, **amounts, **fields}


def merge(
    database: Database,
    minute: int,
    *documents: dict[str, Any],
    unread: tuple[str, ...] = (),
    is_whole: bool = True,
    listing_id: UUID = LISTING,
) -> MergeCounts:
    """Store an answer of so many minutes after the start."""
    asked_at = START + timedelta(minutes=minute)
    told = [{**each, "listing_id": str(listing_id)} for each in documents]
    found = read_competitors(listing_id, told, asked_at=asked_at, platform="EU")
    assert found.unreadable == []
    return backbox.merge_competitors(database, "default", found, unread=unread, is_whole=is_whole)


def stored(database: Database) -> list[tuple[Any, ...]]:
    """Return market, price to win, the minute of the reading and that since when it is gone."""
    rows = database.execute(
        b"select market, price_to_win::text, read_at, gone_at from backmarket.backbox where account = 'default' "
        b"order by id, market"
    )
    return [(name, to_win, _minute(read_at), _minute(gone_at)) for name, to_win, read_at, gone_at in rows]


def history(database: Database, code: str = "fr-fr") -> list[tuple[Any, ...]]:
    """Return the minutes at which something changed, with price, price to win and whether it takes part."""
    rows = database.execute(
        b"select read_at, price::text, price_to_win::text, takes_part from backmarket.backbox_history "
        b"where market = %s order by read_at",
        [code],
    )
    return [(_minute(read_at), *values) for read_at, *values in rows]


def _minute(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - START).total_seconds() // 60)


def test_the_newest_reading_stands_and_history_has_what_changed(warehouse: Database) -> None:
    """Of price, price to win, winner's price and who wins; another floor or a new field is no change of these."""
    assert merge(warehouse, 0, market()) == MergeCounts(1, 0, 0, 0)
    assert merge(warehouse, 1, market(new_field=1, min_price=None)) == MergeCounts(0, 0, 1, 0)
    assert merge(warehouse, 2, market(to_win="289.000")) == MergeCounts(0, 0, 1, 0)
    assert merge(warehouse, 3, market(to_win="288.99")) == MergeCounts(0, 1, 0, 0)
    assert merge(warehouse, 4, market(to_win=None)) == MergeCounts(0, 1, 0, 0)
    assert merge(warehouse, 5, market(to_win=None, is_winning=True)) == MergeCounts(0, 1, 0, 0)
    assert merge(warehouse, 6, market(to_win=None, is_winning=True, winner_price=None)) == MergeCounts(0, 1, 0, 0)
    assert merge(warehouse, 7, market(price="299", to_win=None, is_winning=True, winner_price=None))[1] == 1
    assert stored(warehouse) == [("fr-fr", None, 7, None)]
    assert history(warehouse) == [
        (0, "300.00", "289.00", True),
        (3, "300.00", "288.99", True),
        (4, "300.00", None, True),
        (5, "300.00", None, True),
        (6, "300.00", None, True),
        (7, "299", None, True),
    ]
    ((minimum, document),) = warehouse.execute(b"select min_price, document from backmarket.backbox").fetchall()
    assert (minimum, document["price"]) == (250, {"amount": "299", "currency": "EUR"})


def test_an_older_reading_changes_nothing(warehouse: Database) -> None:
    """It may have been on its way for long; nor does it bring back what is gone, or take away what is not."""
    merge(warehouse, 10, market(), market("DE"))
    merge(warehouse, 20, market("DE"))
    assert merge(warehouse, 15, market(to_win="1.00"), market("DE", to_win="1.00")) == MergeCounts(0, 0, 0, 0)
    assert merge(warehouse, 5) == MergeCounts(0, 0, 0, 0)
    assert stored(warehouse) == [("de-de", "289.00", 20, None), ("fr-fr", "289.00", 10, 20)]
    assert [minute for minute, *_ in history(warehouse)] == [10, 20]
    assert [minute for minute, *_ in history(warehouse, "de-de")] == [10]


def test_what_an_answer_no_longer_has_is_gone_until_it_comes_back(warehouse: Database) -> None:
    """Since the first answer without it; of another listing nothing is said."""
    other = uuid4()
    merge(warehouse, 0, market(), market("DE"))
    merge(warehouse, 0, market("ES"), listing_id=other)
    assert merge(warehouse, 1, market("DE")) == MergeCounts(0, 0, 1, 1)
    assert merge(warehouse, 2) == MergeCounts(0, 0, 0, 1)
    assert merge(warehouse, 3) == MergeCounts(0, 0, 0, 0)
    gone = {name: gone_at for name, _, _, gone_at in stored(warehouse)}
    assert gone == {"fr-fr": 1, "de-de": 2, "es-es": None}
    assert merge(warehouse, 4, market()) == MergeCounts(0, 1, 0, 0)
    assert history(warehouse) == [(0, "300.00", "289.00", True), (1, None, None, False), (4, "300.00", "289.00", True)]
    assert ("fr-fr", "289.00", 4, None) in stored(warehouse)


def test_what_cannot_be_read_is_not_gone(warehouse: Database) -> None:
    """A market whose document is odd stays as it is; where nobody knows of which market it is, all of them do."""
    merge(warehouse, 0, market(), market("DE"), market("ES"))
    assert merge(warehouse, 1, market("DE"), unread=("fr-fr",)) == MergeCounts(0, 0, 1, 1)
    assert merge(warehouse, 2, is_whole=False) == MergeCounts(0, 0, 0, 0)
    gone = {name: gone_at for name, _, _, gone_at in stored(warehouse)}
    assert gone == {"fr-fr": None, "de-de": None, "es-es": 1}


def note(database: Database, minute: int, *, has_backbox: bool | None = True, reason: str | None = None) -> bool:
    """Note what came of an asking of so many minutes after the start."""
    asked_at = START + timedelta(minutes=minute)
    return backbox.note_asking(database, "default", LISTING, asked_at=asked_at, has_backbox=has_backbox, reason=reason)


def test_a_later_asking_is_not_forgotten(warehouse: Database) -> None:
    """Whatever came of it; the answer to an earlier one says so, and is not stored."""
    assert note(warehouse, 5)
    assert note(warehouse, 6, has_backbox=None, reason="Back Market failed.")
    assert not note(warehouse, 5, has_backbox=False)
    assert note(warehouse, 6, has_backbox=False)
    query = b"select asked_at, has_backbox, reason from backmarket.backbox_askings"
    assert warehouse.execute(query).fetchall() == [(START + timedelta(minutes=6), False, None)]


@pytest.mark.usefixtures("warehouse")
def test_no_two_workers_make_the_same_request_of_an_hour() -> None:
    """Four of them, each with a connection of its own: as many may go as the hour has, to the last."""

    def count(_: int) -> int:
        with connect() as connection:
            return sum(backbox.count_request(connection, "default", most=25) for _ in range(10))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(count, range(4))) == 25
    with connect() as connection:
        assert backbox.requests_made(connection, "default") == 25
        assert not backbox.count_request(connection, "default", most=25)
        assert backbox.count_request(connection, "default", most=26)
        assert backbox.requests_made(connection, "other") == 0
        assert not backbox.count_request(connection, "other", most=0)
        assert backbox.requests_made(connection, "other") == 0
        # Another hour begins anew.
        connection.execute("update backmarket.backbox_requests set hour = hour - interval '1 hour'")
        assert backbox.requests_made(connection, "default") == 0
        assert backbox.count_request(connection, "default", most=1)


CATALOG = """
insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at, gone_at) values
('default', '00000000-0000-0000-0000-000000000001', 'A', 'fr-fr', 2, now(), now(), null),
('default', '00000000-0000-0000-0000-000000000002', 'B', 'fr-fr', 0, now(), now(), null),
('default', '00000000-0000-0000-0000-000000000003', 'C', 'fr-fr', 5, now(), now(), null),
('default', '00000000-0000-0000-0000-000000000004', null, 'fr-fr', null, now(), now(), null),
('default', '00000000-0000-0000-0000-000000000005', 'E', 'fr-fr', 1, now(), now(), now()),
('other', '00000000-0000-0000-0000-000000000006', 'A', 'fr-fr', 1, now(), now(), null);

insert into backmarket.listing_offers (
    account, id, market, publication_state, document, first_seen_at, read_at, gone_at
)
select account, listing.id, given.market, given.state, '{}', now(), now(), given.gone
from (
    values
    ('default', 1, 'fr-fr', 3, null), ('default', 1, 'de-de', 2, null), ('default', 2, 'fr-fr', 2, null),
    ('default', 3, 'fr-fr', 2, now()), ('default', 3, 'de-de', 0, null), ('default', 4, 'fr-fr', 2, null),
    ('default', 5, 'fr-fr', 2, null)
) as given (account, number, market, state, gone)
inner join backmarket.listings as listing using (account)
where right(listing.id::text, 1) = number::text;

insert into backmarket.orders (account, order_id, state, date_creation, document, first_seen_at, read_at)
select account, 1, 1, now(), '{}', now(), now() from unnest(array['default', 'other']) as account;

insert into backmarket.order_lines (
    account, orderline_id, order_id, sku, quantity, state, date_creation, first_seen_at, first_seen_state, gone_at
)
select account, line, 1, sku, quantity, state, now() - make_interval(days => days), now(), 1, gone
from (
    values
    ('default', 1, 'A', 2, 3, 1, null), ('default', 2, ' a', 3, 0, 29, null), ('default', 3, 'A', 50, 3, 31, null),
    ('default', 4, 'A', 50, 4, 1, null), ('default', 5, 'A', 50, 7, 1, null), ('default', 6, 'A', 50, 3, 1, now()),
    ('default', 7, 'B', 4, 6, 1, null), ('default', 8, null, 9, 3, 1, null), ('other', 9, 'C', 9, 3, 1, null)
) as given (account, line, sku, quantity, state, days, gone)
"""


def test_what_is_known_of_each_listing(warehouse: Database) -> None:
    """Online in any market and in stock; units of lines of 30 days, by SKU, that were neither cancelled nor unpaid."""
    for statement in CATALOG.split(";"):
        warehouse.execute(statement.encode())
    first = UUID(int=1)
    backbox.note_asking(warehouse, "default", first, asked_at=START, has_backbox=False, reason=None)
    found = backbox.candidates(warehouse, "default", sold_since=datetime.now(UTC) - timedelta(days=30))
    assert sorted(found, key=lambda each: each.listing_id) == [
        Candidate(first, is_on_sale=True, units_sold=5, asked_at=START),
        Candidate(UUID(int=2), is_on_sale=False, units_sold=4),
        Candidate(UUID(int=3), is_on_sale=False),
        Candidate(UUID(int=4), is_on_sale=False),
    ]


MANY_LINES = """
insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at)
values ('default', 1, 1, '{}', now(), now());

insert into backmarket.order_lines (
    account, orderline_id, order_id, sku, quantity, state, date_creation, first_seen_at, first_seen_state
)
select 'default', n, 1, 'SKU-' || n %% 500, 1, 3, now() - n * interval '1 hour', now(), 1
from generate_series(1, %(lines)s) as n
"""


def test_sales_are_counted_without_a_look_at_those_of_long_ago(warehouse: Database) -> None:
    """By an index over the days."""
    for statement in MANY_LINES.split(";"):
        warehouse.execute(statement.encode(), {"lines": 20_000})
    warehouse.execute(b"vacuum analyze")
    query = sql.statement("backbox/select_candidates")
    parameters = {"account": "default", "since": datetime.now(UTC) - timedelta(days=30)}
    ((plan,),) = warehouse.execute(f"explain (analyze, buffers, format json) {query}".encode(), parameters).fetchall()
    (scan,) = _scans(plan[0]["Plan"], "order_lines")
    assert scan in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    touched = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert touched < 60, "of 20,000 lines 720 are looked at"


def _scans(node: dict[str, Any], table: str) -> set[str]:
    """Return how a plan reads a table."""
    own = {node["Node Type"]} if node.get("Relation Name") == table else set()
    return own.union(*(_scans(each, table) for each in node.get("Plans", ())))


def test_an_amount_of_zero_is_none(warehouse: Database) -> None:
    """So the specification writes one that is empty; the document stays as it came."""
    merge(warehouse, 0, market(to_win="0.00", winner_price={"amount": 0, "currency": "EUR"}))
    assert warehouse.execute(
        b"select price, price_to_win, winner_price, document -> 'price_to_win' ->> 'amount' from backmarket.backbox"
    ).fetchall() == [(300, None, None, "0.00")]
    assert warehouse.execute(b"select price_to_win, winner_price from backmarket.backbox_history").fetchall() == [
        (None, None)
    ]


def test_sales_of_more_units_than_a_column_holds_stop_no_asking(warehouse: Database) -> None:
    """Two lines of one SKU add up to more than an integer: it counts as sold most, and all are candidates."""
    warehouse.execute(
        b"insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        b"values ('default', %s, 'A', 'fr-fr', 1, now(), now())",
        [LISTING],
    )
    warehouse.execute(
        b"insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at) "
        b"values ('default', 1, 1, '{}', now(), now())"
    )
    warehouse.execute(
        b"insert into backmarket.order_lines "
        b"(account, orderline_id, order_id, sku, quantity, state, date_creation, first_seen_at, first_seen_state) "
        b"select 'default', n, 1, 'A', 2147483647, 1, %s, now(), 1 from generate_series(1, 2) as n",
        [START],
    )
    (found,) = backbox.candidates(warehouse, "default", sold_since=START)
    assert found.units_sold == 2147483647
