"""Lists of orders and listings that move, or fail in part, read over HTTP into what waits to be stored."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from backmarket.api import errors
from backmarket.api.rows_alone import MOST_ROWS
from backmarket.rules.order_window import next_watermark
from backmarket.services.listing_reading import ListingReading
from backmarket.services.order_reading import OrderReading
from tests.api.hostile_server import HostileServer, Reply, Seen, order
from tests.api.single_pass import single_pass

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing, Order
    from backmarket.warehouse.listings import ListingStaging
    from backmarket.warehouse.orders import OrderStaging
    from tests.api.conftest import MakeClient


@dataclass
class Served:
    """A list that a server shows in pages, and that moves after requests.

    :param row: makes a document of a row.
    :param fixed_size: rows a page whatever is asked for; None gives what is asked for.
    :param moves: what happens after a request, by its number.
    :param spoilt: what to answer instead, by the place of a page's first row.
    """

    rows: list[int]
    row: Callable[[int], dict[str, Any]] = order
    fixed_size: int | None = None
    moves: dict[int, Callable[[list[int]], None]] = field(default_factory=dict)
    spoilt: dict[int, Reply] = field(default_factory=dict)
    after_each: Callable[[list[int]], None] = lambda _: None
    clock: datetime = datetime(2026, 9, 1, 12, tzinfo=UTC)
    requests: int = 0

    def __call__(self, request: Seen) -> Reply:
        """Answer a request for a page."""
        self.requests += 1
        size = self.fixed_size or int(request.query["page-size"])
        start = (request.page - 1) * size
        rows, total = self.rows[start : start + size], len(self.rows)
        self.moves.get(self.requests, self.after_each)(self.rows)
        bad = next((reply for place, reply in self.spoilt.items() if start <= place < start + size), None)
        if bad:
            return bad
        if not rows and request.page > 1:
            return Reply({"error": {"code": "not_found", "message": "page not found"}}, 404)
        following = "https://elsewhere.invalid" if start + size < total else None
        body = {"count": total, "next": following, "results": [self.row(each) for each in rows]}
        date = format_datetime(self.clock + timedelta(seconds=self.requests), usegmt=True)
        return Reply(body, headers={"Date": date})


@dataclass
class Waiting:
    """Stands for the temporary tables: what was read, in the order in which it came."""

    orders: list[Order] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    singles: list[Order] = field(default_factory=list)

    def add_single(self, read: Order) -> None:
        """Stage an order that was read by id."""
        self.singles.append(read)

    def add(self, read: list[Any], market: str = "", *, read_at: datetime) -> None:
        """Stage what was read."""
        assert read_at.tzinfo
        (self.listings if market else self.orders).extend(read)


def reading_of(client: BackMarketClient) -> OrderReading:
    """A reading of orders that goes nowhere."""
    return OrderReading(client, cast("OrderStaging", Waiting()), logging.getLogger("test"))


def staged_by(reading: OrderReading) -> set[int]:
    """Tell which orders were read."""
    waiting = cast("Waiting", reading.staging)
    return {order.order_id for order in waiting.orders + waiting.singles}


def listing(number: int) -> dict[str, Any]:
    """Make the smallest listing there is."""
    return {"id": f"00000000-0000-4000-8000-{number:012d}", "sku": f"S{number}", "quantity": 1}


def test_an_entry_does_not_hide_an_order_that_slipped_through(client: BackMarketClient, server: HostileServer) -> None:
    """Five orders, two a page: 1 leaves and 9, an old one, enters; as many are seen as were counted, without 3."""
    served = Served([1, 2, 3, 4, 5], fixed_size=2)
    served.moves[1] = lambda rows: rows.__setitem__(slice(None), [2, 3, 4, 5, 9])
    server.play = served
    reading = reading_of(client)
    assert reading.read_list()
    assert staged_by(reading) == {1, 2, 3, 4, 5, 9}


def test_a_reading_tells_of_each_page_how_far_it_is(client: BackMarketClient, server: HostileServer) -> None:
    """Distinct orders, though pages overlap, of as many as the list has; those that are not staged count, too."""
    server.play = Served(list(range(120)))
    told: list[tuple[int, int | None]] = []
    reading = reading_of(client)
    reading.progress = lambda done, total: told.append((done, total))
    reading.created_to = datetime(2000, 1, 1, tzinfo=UTC)
    assert reading.read_list()
    assert told[-1] == (120, 120)
    assert told == sorted(told)
    assert len(told) > 2


def test_a_row_that_two_pages_share_is_handed_over_once(client: BackMarketClient, server: HostileServer) -> None:
    """Unless it changed in between: then both readings come, in their order."""
    times: Counter[int] = Counter()

    def row(number: int) -> dict[str, Any]:
        times[number] += 1
        return order(number, state=times[number] if number == 47 else 1)

    server.play = Served(list(range(1, 120)), row=row)
    reading = reading_of(client)
    assert reading.read_list()
    orders = cast("Waiting", reading.staging).orders
    assert times[48] > 1
    assert [each.state for each in orders if each.order_id == 47] == list(range(1, times[47] + 1))
    assert len(orders) == 118 + times[47]


def test_orders_that_leave_all_the_time_leave_the_list_complete(
    client: BackMarketClient, server: HostileServer
) -> None:
    """The list never holds as many as it counted, and yet whatever is still there has been read."""
    served = Served(list(range(3000)), after_each=lambda rows: rows.remove(rows[len(rows) // 3]))
    server.play = served
    reading = reading_of(client)
    assert reading.read_list()
    assert set(served.rows) <= staged_by(reading)
    assert served.requests < 120


@pytest.mark.parametrize("seed", range(5))
def test_a_busy_list_is_read_whole(client: BackMarketClient, server: HostileServer, seed: int) -> None:
    """65 pages; for every ten read, some three orders arrive, four change and go to the front, one leaves."""
    rng, numbers = Random(seed), count(10_000)  # noqa: S311 - chance that can be repeated, not secrets

    def move(rows: list[int]) -> None:
        if rng.random() < 0.25:
            rows.insert(0, next(numbers))
        if rng.random() < 0.35:
            rows.insert(0, rows.pop(rng.randrange(len(rows))))
        if rng.random() < 0.1:
            rows.pop(rng.randrange(len(rows)))

    served = Served(list(range(3250)), after_each=move)
    server.play = served
    reading = reading_of(client)
    assert reading.read_list()
    assert set(served.rows) & set(range(3250)) <= staged_by(reading)
    assert served.requests < 120


BROKEN = [
    pytest.param(Reply("", 500), errors.ServerError, id="500"),
    pytest.param(Reply('{"count": 3, "results": [', 200), errors.MalformedAnswerError, id="cut JSON"),
    pytest.param(Reply({}, 200), errors.MalformedAnswerError, id="no page"),
    pytest.param(Reply(reset=True), errors.NetworkError, id="lost connection"),
]


@pytest.mark.parametrize("place", [0, 1, 49, 510, 999])
@pytest.mark.parametrize(("reply", "error_class"), BROKEN)
def test_a_row_that_fails_costs_no_other(
    make_client: MakeClient, server: HostileServer, reply: Reply, error_class: type[Exception], place: int
) -> None:
    """All others are read, those of its page one by one; its failure names its place, and the list is incomplete."""
    served = Served(list(range(1000)), spoilt={place: reply})
    server.play = served
    reading = reading_of(make_client(server.base_url, attempts=2))
    assert not reading.read_list()
    assert isinstance(reading.failure, error_class)
    assert f"number {place + 1:,} of the list, asked for alone" in str(reading.failure)
    assert staged_by(reading) == set(range(1000)) - {place}
    assert served.requests < 200


@pytest.mark.parametrize("length", [1, 2, 10, 50, 51])
def test_a_row_that_fails_costs_no_other_of_a_short_list(
    make_client: MakeClient, server: HostileServer, length: int
) -> None:
    """Wherever it stands."""
    for place in range(length):
        server.play = Served(list(range(length)), spoilt={place: Reply("", 500)})
        reading = reading_of(make_client(server.base_url, attempts=1))
        assert not reading.read_list()
        assert isinstance(reading.failure, errors.ServerError)
        assert staged_by(reading) == set(range(length)) - {place}


def test_several_rows_that_fail_cost_no_others(make_client: MakeClient, server: HostileServer) -> None:
    """Two that stand together, and one on the first and the last page each."""
    sick = {7, 300, 301, 999}
    server.play = Served(list(range(1000)), spoilt=dict.fromkeys(sick, Reply("", 500)))
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert not reading.read_list()
    assert staged_by(reading) == set(range(1000)) - sick


def test_rows_of_a_page_that_fails_are_read_though_counts_are_too_low(
    make_client: MakeClient, server: HostileServer
) -> None:
    """Nor does such a page end a list that goes on."""
    honest = Served(list(range(1000)), spoilt={3: Reply("", 500)})

    def play(request: Seen) -> Reply:
        reply = honest(request)
        return replace(reply, body={**reply.body, "count": 0}) if reply.status == 200 else reply

    server.play = play
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert not reading.read_list()
    assert staged_by(reading) == set(range(1000)) - {3}


def test_a_page_that_fails_although_its_rows_do_not(make_client: MakeClient, server: HostileServer) -> None:
    """All is read, but of other moments than its neighbours: the list stays incomplete, with the page's failure."""
    honest = Served(list(range(1000)))
    server.play = lambda request: (
        Reply("", 500) if request.page == 1 and request.query["page-size"] != "1" else honest(request)
    )
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert not reading.read_list()
    assert isinstance(reading.failure, errors.ServerError)
    assert staged_by(reading) == set(range(1000))


@pytest.mark.parametrize("refusal", [400, 404])
def test_where_no_single_row_can_be_asked_for_the_page_alone_is_missing(
    make_client: MakeClient, server: HostileServer, refusal: int
) -> None:
    """A refusal of such a small page is no failure of its own."""
    honest = Served(list(range(1000)), spoilt={510: Reply("", 500)})
    server.play = lambda request: Reply("", refusal) if request.query["page-size"] == "1" else honest(request)
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert not reading.read_list()
    assert isinstance(reading.failure, errors.ServerError)
    assert staged_by(reading) >= {*range(460), *range(560, 1000)}


def test_rows_that_fail_one_after_another_are_not_hammered(make_client: MakeClient, server: HostileServer) -> None:
    """Three show that it is no matter of single rows; so do five hundred that had to be asked for alone."""
    client = make_client(server.base_url, attempts=1)
    requests = 0

    def read(sick: set[int]) -> tuple[int, int]:
        nonlocal requests
        served = Served(list(range(5000)), spoilt=dict.fromkeys(sick, Reply("", 500)))
        server.play = served
        reading = reading_of(client)
        reading.read_list()
        alone = [seen.page - 1 for seen in server.seen[requests:] if seen.query["page-size"] == "1"]
        requests = len(server.seen)
        return len(alone), len(sick.intersection(alone))

    assert read({*range(100, 150)})[1] <= 4
    assert read({*range(230, 5000, 200)})[0] == MOST_ROWS


@pytest.mark.parametrize(("reply", "error_class"), BROKEN)
def test_a_page_that_fails_is_told_after_all_others(
    make_client: MakeClient, server: HostileServer, reply: Reply, error_class: type[Exception]
) -> None:
    """The plain list of pages ends with the failure, too, once the others have been yielded."""
    server.play = Served(list(range(1000)), spoilt={110: reply})
    seen: set[int] = set()
    pages = single_pass(make_client(server.base_url, attempts=1).moving_orders())
    with pytest.raises(error_class):
        seen.update(each.order_id for page in pages for each in page.orders)
    assert seen == set(range(1000)) - set(range(100, 150))


def test_a_last_page_that_fails_is_not_the_end(make_client: MakeClient, server: HostileServer) -> None:
    """The reading ends soon, with the failure, and with all other pages."""
    served = Served(list(range(1000)), spoilt={999: Reply("", 500)})
    server.play = served
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert not reading.read_list()
    assert isinstance(reading.failure, errors.ServerError)
    assert staged_by(reading) == set(range(999))
    assert len([seen for seen in server.seen if seen.query["page-size"] != "1"]) < 40


def test_a_failing_first_page_is_a_failure_of_its_list_alone(make_client: MakeClient, server: HostileServer) -> None:
    """Another list can be read all the same."""
    fine = Served([7])
    server.play = lambda request: Reply("", 502) if request.query["state"] == "1" else fine(request)
    reading = reading_of(make_client(server.base_url, attempts=1))
    assert [reading.read_list(state=state) for state in (1, 3)] == [False, True]
    assert isinstance(reading.failure, errors.ServerError)
    assert staged_by(reading) == {7}


def test_an_outage_is_not_hammered(make_client: MakeClient, server: HostileServer) -> None:
    """After five failures in a row no further page is asked for."""
    honest = Served(list(range(5000)))
    server.play = lambda request: honest(request) if request.page == 1 else Reply("", 503)
    reading = reading_of(make_client(server.base_url, attempts=1, concurrency=2))
    assert not reading.read_list()
    assert isinstance(reading.failure, errors.ServerError)
    assert len(server.seen) <= 1 + 5 + 2
    assert staged_by(reading) == set(range(50))


@pytest.mark.parametrize(
    ("status", "headers", "error_class"),
    [
        (401, {}, errors.AuthenticationError),
        (403, {"Content-Type": "text/html"}, errors.BackMarketError),
        (429, {"Retry-After": "9999"}, errors.ThrottledError),
        (400, {}, errors.RefusedError),
    ],
)
def test_what_concerns_all_pages_ends_the_list_at_once(
    make_client: MakeClient, server: HostileServer, status: int, headers: dict[str, str], error_class: type[Exception]
) -> None:
    """A refused token, a firewall, a limit or a refused request: other pages would fare no better."""
    server.play = Served(list(range(5000)), spoilt={600: Reply("", status, headers)})
    reading = reading_of(make_client(server.base_url, attempts=1))
    with pytest.raises(error_class):
        reading.read_list()
    assert len(server.seen) < 40


def test_a_document_that_is_readable_the_second_time_needs_no_quarantine(
    client: BackMarketClient, server: HostileServer
) -> None:
    """Pages overlap: of two readings of one order the later one holds."""
    times: Counter[int] = Counter()

    def row(number: int) -> dict[str, Any]:
        times[number] += 1
        return order(number, state="?" if times[number] == 1 and number == 47 else 1)

    server.play = Served(list(range(1, 120)), row=row)
    reading = reading_of(client)
    assert reading.read_list()
    assert times[47] > 1
    assert reading.unreadable == {}


def test_the_dates_of_an_order_tell_what_is_newer(client: BackMarketClient, server: HostileServer) -> None:
    """Where pages cannot overlap, arrivals do not keep a reading from ending; times without a zone say nothing."""
    numbers = count(1000)
    future = datetime(2099, 1, 1, tzinfo=UTC).isoformat()

    def row(number: int) -> dict[str, Any]:
        return order(number, date_creation=future if number >= 1000 else "2026-01-01T00:00:00")

    served = Served(list(range(200)), row=row, fixed_size=10, after_each=lambda rows: rows.insert(0, next(numbers)))
    server.play = served
    reading = reading_of(client)
    assert reading.read_list()
    assert staged_by(reading) >= set(range(200))


def test_what_existed_when_reading_began_is_read_up_to_the_watermark(
    client: BackMarketClient, server: HostileServer
) -> None:
    """Orders that change while the list is read do not carry the watermark beyond the moment when reading began."""
    served = Served(list(range(500)), after_each=lambda rows: rows.insert(0, rows.pop()))
    served.row = lambda number: order(
        number, date_modification=(served.clock + timedelta(seconds=served.requests)).isoformat()
    )
    server.play = served
    reading = reading_of(client)
    assert reading.read_list()
    assert reading.started_at == served.clock + timedelta(seconds=1)
    assert reading.newest_modification
    assert reading.newest_modification > reading.started_at
    watermark = next_watermark(reading.newest_modification, reading.started_at, served.clock - timedelta(days=1))
    assert watermark == reading.started_at
    assert staged_by(reading) == set(range(500))


def test_an_order_read_by_id_counts_by_back_markets_clock(client: BackMarketClient, server: HostileServer) -> None:
    """It is compared with pages, whose time is Back Market's, too."""
    server.answer(Reply(order(7), headers={"Date": "Tue, 01 Sep 2026 12:00:00 GMT"}))
    reading = reading_of(client)
    reading.read_one(7)
    (single,) = cast("Waiting", reading.staging).singles
    assert single.served_at == datetime(2026, 9, 1, 12, tzinfo=UTC)
    assert staged_by(reading) == {7}


@pytest.mark.parametrize("moves", [True, False])
def test_where_pages_cannot_overlap_only_a_list_that_stood_still_tells_what_is_gone(
    client: BackMarketClient, server: HostileServer, *, moves: bool
) -> None:
    """It may be complete all the same: but a listing that slipped through twice must not be marked as gone."""
    served = Served(list(range(1, 101)), row=listing, fixed_size=10)
    if moves:
        served.after_each = lambda rows: rows.insert(0, rows.pop())
    server.play = served
    reading = ListingReading(client, cast("ListingStaging", Waiting()), "fr-fr")
    assert reading.read()
    assert len(reading.seen) == 100
    assert reading.tells_what_is_missing is not moves


def test_listings_that_come_and_go_are_read_whole(client: BackMarketClient, server: HostileServer) -> None:
    """One leaves with every page, another appears at the end: none of those that stay is missing."""
    numbers = count(5000)

    def move(rows: list[int]) -> None:
        rows.pop(len(rows) // 4)
        rows.append(next(numbers))

    served = Served(list(range(1, 2001)), row=listing, after_each=move)
    server.play = served
    reading = ListingReading(client, cast("ListingStaging", Waiting()), "fr-fr")
    assert reading.read()
    assert {UUID(listing(each)["id"]) for each in served.rows if each <= 2000} <= reading.seen
    assert reading.tells_what_is_missing


def test_a_failing_page_of_listings_costs_no_other(make_client: MakeClient, server: HostileServer) -> None:
    """And then nothing is known to be gone."""
    server.play = Served(list(range(1, 501)), row=listing, spoilt={210: Reply("", 500)})
    reading = ListingReading(make_client(server.base_url, attempts=1), cast("ListingStaging", Waiting()), "fr-fr")
    assert not reading.read()
    assert isinstance(reading.failure, errors.ServerError)
    assert not reading.tells_what_is_missing
    assert reading.seen == {UUID(listing(each)["id"]) for each in range(1, 501) if each != 211}
