"""Reading whole lists: complete, bounded, and never led astray."""

from __future__ import annotations

import gc
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api import errors
from tests.api.hostile_server import HostileServer, Reply, Seen, list_of, order
from tests.api.single_pass import single_pass
from tests.api.test_moving_lists_over_http import Served

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from tests.api.conftest import MakeClient

MOMENT = datetime(2026, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC)


def read_ids(client: BackMarketClient, **filters: Any) -> list[int]:
    """Read a list of orders to its end and return their ids, sorted, repetitions included."""
    return sorted(each.order_id for page in single_pass(client.moving_orders(**filters)) for each in page.orders)


def test_a_long_list_is_read_whole_and_once(client: BackMarketClient, server: HostileServer) -> None:
    """Each page is asked for exactly once, by its number and at the largest size."""
    server.play = list_of(1234)
    assert read_ids(client) == list(range(1, 1235))
    assert sorted(request.page for request in server.seen) == list(range(1, 26))
    assert {request.query["page-size"] for request in server.seen} == {"50"}
    assert {request.path for request in server.seen} == {"/ws/orders"}


@pytest.mark.parametrize("total", [0, 1, 49, 50, 51, 100])
def test_lists_around_a_page_border(client: BackMarketClient, server: HostileServer, total: int) -> None:
    """No page too few, none too many."""
    server.play = list_of(total)
    assert read_ids(client) == list(range(1, total + 1))
    assert len(server.seen) == max(1, -(-total // 50))


def test_pages_are_read_side_by_side_within_bounds(make_client: MakeClient, server: HostileServer) -> None:
    """As many requests at a time as configured, and as many threads."""
    honest = list_of(1000)

    def slowly(request: Seen) -> Reply:
        reply = honest(request)
        return Reply(reply.body, reply.status, delay=0.02)

    server.play = slowly
    client = make_client(server.base_url, concurrency=4)
    most_threads = 0
    for _ in single_pass(client.moving_orders()):
        reading = [each for each in threading.enumerate() if each.name.startswith("backmarket")]
        most_threads = max(most_threads, len(reading))
    assert server.most_at_once == 4
    assert most_threads == 4


def test_pages_wait_for_a_slow_reader(make_client: MakeClient, server: HostileServer) -> None:
    """However long the list, only a handful of pages is in memory or under way."""
    server.play = list_of(50_000)
    client = make_client(server.base_url, concurrency=4)
    with closing(single_pass(client.moving_orders())) as pages:
        for taken, page in enumerate(pages, start=1):
            assert len(server.seen) <= taken + 4
            if taken == 30:
                break
            del page
    assert len(server.seen) <= 34


def test_closing_early_leaves_nothing_behind(client: BackMarketClient, server: HostileServer) -> None:
    """No thread and no further request after the reader has gone."""
    server.play = list_of(5000)
    with closing(single_pass(client.moving_orders())) as pages:
        next(pages)
        next(pages)
    assert [each for each in threading.enumerate() if each.name.startswith("backmarket")] == []
    asked = len(server.seen)
    gc.collect()
    assert len(server.seen) == asked < 12


def test_a_page_that_fails_ends_the_reading(client: BackMarketClient, server: HostileServer) -> None:
    """The error comes out; what was not read is not passed off as the end."""
    honest = list_of(1000)
    server.play = lambda request: Reply("", 401) if request.page == 9 else honest(request)
    with pytest.raises(errors.AuthenticationError):
        read_ids(client)


@pytest.mark.parametrize("following", ["https://elsewhere.invalid/ws/orders?page=2", "", "/bm/merchants", "null"])
def test_next_is_never_followed(client: BackMarketClient, server: HostileServer, following: str) -> None:
    """Wherever `next` points, only page numbers of the same list on the same host are asked for."""
    with HostileServer() as other:
        honest = list_of(120)

        def play(request: Seen) -> Reply:
            body = dict(honest(request).body)
            body["next"] = body.get("next") and (following or f"{other.base_url}/ws/orders?page=2")
            return Reply(body)

        server.play = play
        assert read_ids(client) == list(range(1, 121))
        assert other.seen == []


def test_a_count_may_be_text(client: BackMarketClient, server: HostileServer) -> None:
    """Numbers arrive as strings at times."""
    server.play = list_of(120, count="120")
    assert read_ids(client) == list(range(1, 121))
    assert client.count_orders() == 120


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "no",
        {"count": "many", "results": []},
        {"count": -1, "results": []},
        {"count": 1, "results": {}},
        {"results": []},
        {"count": None, "results": [order(1)] * 50},
        {"results": [order(1)], "previous": None, "paging": {"next": "https://elsewhere.invalid"}},
    ],
)
def test_what_is_no_page_is_no_empty_list(client: BackMarketClient, server: HostileServer, body: object) -> None:
    """An answer without count and results must not count as nothing new."""
    server.answer(Reply(body if body != "no" else '"no"'))
    with pytest.raises(errors.MalformedAnswerError, match="not a page"):
        read_ids(client)


def test_a_platform_with_smaller_pages(client: BackMarketClient, server: HostileServer) -> None:
    """Where fewer rows come than were asked for, the number of pages follows."""
    server.play = list_of(95, size=10)
    assert read_ids(client) == list(range(1, 96))


def test_a_list_that_grows_while_it_is_read(client: BackMarketClient, server: HostileServer) -> None:
    """Reading goes on past the pages first counted, until a page says it is the last."""
    longer = list_of(260)
    server.play = lambda request: Reply({**longer(request).body, "count": 150 if request.page == 1 else 260})
    assert read_ids(client) == list(range(1, 261))


@pytest.mark.parametrize("count", [0, None, "absent", "own rows", 60])
@pytest.mark.parametrize("total", [0, 50, 51, 260, 1234])
def test_a_count_that_is_too_low_hides_no_row(
    make_client: MakeClient, server: HostileServer, count: object, total: int
) -> None:
    """Or missing: each page tells whether another follows; pages that overlap, and pages in turn."""
    honest = Served(list(range(1, total + 1)))

    def play(request: Seen) -> Reply:
        reply = honest(request)
        if reply.status != 200:
            return reply
        told = {"own rows": len(reply.body["results"]), "60": min(60, total)}.get(str(count), count)
        body = {**reply.body, "count": told}
        if count == "absent":
            del body["count"]
        return Reply(body)

    server.play = play
    client = make_client(server.base_url)
    reading = client.moving_orders()
    read = {each.order_id for page in reading.pages() for each in page.orders}
    assert read == set(range(1, total + 1))
    assert reading.is_complete
    assert set(read_ids(client)) == set(range(1, total + 1))


def test_a_list_of_more_pages_than_it_may_outgrow_its_count(client: BackMarketClient, server: HostileServer) -> None:
    """Pages with new rows go on, however many they are."""
    server.play = list_of(12_000, count=0)
    assert read_ids(client) == list(range(1, 12_001))


def test_next_may_be_a_flag(client: BackMarketClient, server: HostileServer) -> None:
    """True where another page follows, false on the last."""
    honest = list_of(120)
    server.play = lambda request: Reply({**honest(request).body, "next": bool(honest(request).body.get("next"))})
    assert read_ids(client) == list(range(1, 121))


def test_a_list_that_never_ends(client: BackMarketClient, server: HostileServer) -> None:
    """A `next` for ever is taken for what it is."""
    server.play = lambda _: Reply({"count": 60, "next": "x", "results": [order(1)] * 50})
    with pytest.raises(errors.MalformedAnswerError, match="without an end"):
        read_ids(client)
    assert len(server.seen) < 250


def test_a_last_page_that_vanished_is_the_end(client: BackMarketClient, server: HostileServer) -> None:
    """An order left the list, and the last page with it: 404 there is no error."""
    before, after = list_of(101), list_of(100)

    def play(request: Seen) -> Reply:
        return before(request) if len(server.seen) == 1 else after(request)

    server.play = play
    assert set(read_ids(client)) == set(range(1, 101))


@pytest.mark.parametrize("spoil", [{"next": None}, {"results": []}])
def test_a_short_list_ends_all_the_same(make_client: MakeClient, server: HostileServer, spoil: dict[str, Any]) -> None:
    """Whether rows are missing is for the caller to judge: each page says how many there should be."""
    honest = list_of(500)
    server.play = lambda request: Reply({**honest(request).body, **(spoil if request.page == 3 else {})})
    client = make_client(server.base_url, concurrency=2)
    pages = list(single_pass(client.moving_orders()))
    assert {page.count for page in pages} == {500}
    assert 0 < sum(len(page.orders) for page in pages) < 500


def test_one_bad_order_costs_no_other(client: BackMarketClient, server: HostileServer) -> None:
    """It is handed over beside the others, with its key and a reason without values."""
    results = [order(1), order(2, state="Victor Hugo"), order(3)]
    server.answer(Reply({"count": 3, "next": None, "results": results}))
    (page,) = single_pass(client.moving_orders())
    assert [each.order_id for each in page.orders] == [1, 3]
    assert [(each.key, each.reason) for each in page.unreadable] == [("2", "state: no whole number")]
    assert page.unreadable[0].document == results[1]
    assert "Victor" not in repr(page)


def test_a_page_knows_the_servers_time(client: BackMarketClient, server: HostileServer) -> None:
    """The watermark rests on Back Market's clock, not on this machine's."""
    page = {"count": 1, "next": None, "results": [order(1, date_modification="2026-07-01T13:59:00")]}
    server.answer(Reply(page, headers={"Date": "Wed, 01 Jul 2026 12:00:00 GMT"}))
    (read,) = single_pass(client.moving_orders())
    assert (read.number, read.count) == (1, 1)
    assert read.server_time == datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert read.orders[0].times_assumed_local


def test_filters_as_they_are_sent(client: BackMarketClient, server: HostileServer) -> None:
    """On every page; a fraction of a second is cut off, since a lower bound may be early but never late."""
    server.play = list_of(80)
    read_ids(client, date_modification=MOMENT, date_creation=MOMENT, state=3, country_code="fr-fr")
    assert len(server.seen) == 2
    for request in server.seen:
        assert request.query["date_modification"] == request.query["date_creation"] == "2026-07-01T12:00:00Z"
        assert (request.query["state"], request.query["country_code"]) == ("3", "fr-fr")


def test_a_filter_must_say_its_zone(client: BackMarketClient, server: HostileServer) -> None:
    """A naive moment would silently skip or repeat hours."""
    with pytest.raises(ValueError, match="aware"):
        read_ids(client, date_modification=datetime(2026, 7, 1))  # noqa: DTZ001 - naive on purpose
    assert server.seen == []


WRONG_FORMAT = Reply({"errors": [{"code": "Ws.OrderList.WrongDateFormat", "message": "wrong"}]}, 422)


def test_the_other_date_format_is_tried_once_and_remembered(client: BackMarketClient, server: HostileServer) -> None:
    """Some environments want another format: one refusal per client, not one per list."""
    honest = list_of(3)
    server.play = lambda request: WRONG_FORMAT if "T" in request.query["date_modification"] else honest(request)
    assert read_ids(client, date_modification=MOMENT) == [1, 2, 3]
    assert read_ids(client, date_modification=MOMENT) == [1, 2, 3]
    sent = [request.query["date_modification"] for request in server.seen]
    assert sent == ["2026-07-01T12:00:00Z", "2026-07-01 12:00:00", "2026-07-01 12:00:00"]


def test_an_environment_that_takes_neither_format(client: BackMarketClient, server: HostileServer) -> None:
    """After the second refusal the refusal comes out; other refusals do at once."""
    server.answer(WRONG_FORMAT)
    with pytest.raises(errors.RefusedError, match="WrongDateFormat"):
        read_ids(client, date_modification=MOMENT)
    assert len(server.seen) == 2
    server.answer(Reply({"error": {"code": "x", "message": "state 2 is not a state"}}, 422))
    with pytest.raises(errors.RefusedError, match="state 2"):
        read_ids(client, state=2)
    assert len(server.seen) == 3


def test_listings_are_read_per_market(client: BackMarketClient, server: HostileServer) -> None:
    """The page remembers whose prices it holds."""
    listing = {"id": "7a97a1b6-547e-4718-bc72-5b84aca91b09", "quantity": 1, "currency": "SEK"}
    server.answer(Reply({"count": 2, "next": None, "results": [listing, {"id": "x", "quantity": 1}]}))
    (page,) = single_pass(client.moving_listings("sv-se", publication_state=2))
    assert (page.market, page.listings[0].currency) == ("sv-se", "SEK")
    assert [(each.key, each.reason) for each in page.unreadable] == [("x", "id: no id")]
    assert server.seen[0].headers["accept-language"] == "sv-se"
    assert server.seen[0].query["publication_state"] == "2"


@pytest.mark.parametrize(
    ("page", "length"),
    [
        ({"count": 1234, "next": "https://elsewhere.invalid", "results": [{}]}, 1234),
        ({"count": 1, "next": None, "results": [{}]}, 1),
        ({"next": None, "results": []}, 0),
        ({"next": "https://elsewhere.invalid", "results": [{}]}, None),
        ({"count": 1, "next": "https://elsewhere.invalid", "results": [{}]}, None),
    ],
)
def test_a_list_that_does_not_count_itself_has_no_length(
    client: BackMarketClient, server: HostileServer, page: dict[str, Any], length: int | None
) -> None:
    """One row was asked for, and that one is not all."""
    server.answer(Reply(page))
    assert (client.count_orders(), client.count_listings("fr-fr")) == (length, length)
