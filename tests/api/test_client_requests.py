"""What a request carries, where it goes, and what becomes of a broken answer."""

from __future__ import annotations

import json
import socket
import time
import traceback
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from backmarket.api import errors
from tests.api.conftest import TOKEN, MakeClient
from tests.api.hostile_server import HostileServer, Play, Reply, Seen, list_of, order
from tests.api.single_pass import single_pass

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient

HTML = "<!DOCTYPE html><html><body>Error 1015: you are being rate limited</body></html>"
ORDER = Reply(order(7))


def test_every_request_carries_the_headers(client: BackMarketClient, server: HostileServer) -> None:
    """The spec's five headers, the token verbatim, on reads and writes alike."""
    server.answer(ORDER)
    client.get_order(7)
    client.update_order(7, 2, sku="A")
    client.update_orderline(8, imei="011415009346880")
    assert len(server.seen) == 3
    for request in server.seen:
        assert request.headers["authorization"] == f"Basic {TOKEN}"
        assert request.headers["accept"] == "application/json"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept-language"] == "fr-fr"
        assert request.headers["user-agent"] == "BM-Acme-Airflow;ops@example.com"


def test_a_market_of_another_platform_is_not_asked(client: BackMarketClient, server: HostileServer) -> None:
    """An American price must not reach a European account."""
    with pytest.raises(ValueError, match="en-us"):
        client.count_listings("en-us")
    assert server.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("write", [False, True])
def test_a_redirect_is_never_followed(
    client: BackMarketClient, server: HostileServer, status: int, write: bool
) -> None:
    """The other server hears nothing: no token, no body."""
    with HostileServer() as other:
        server.answer(Reply("", status, {"Location": f"{other.base_url}/ws/orders/7"}))
        with pytest.raises(errors.RedirectRefusedError) as caught:
            client.update_order(7, 2, sku="A") if write else client.get_order(7)
        assert other.seen == []
    assert caught.value.surely_not_applied
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "broken",
    [
        Reply(HTML, 429),
        Reply(HTML, 503, {"cf-ray": "931354450813d142-CDG"}),
        Reply(HTML, 500),
        Reply(HTML, 502),
        Reply(HTML, 200),
        Reply('{"order_id": 7, "sta', 200),
        Reply("", 200),
        Reply(order(7), cut=True),
        Reply(reset=True),
        Reply(order(7), delay=0.5),
        Reply(order(7), headers={"Content-Encoding": "gzip"}),
    ],
    ids=str,
)
def test_a_read_survives_what_passes(make_client: MakeClient, server: HostileServer, broken: Reply) -> None:
    """Two failures, then the answer: the caller only sees the answer."""
    server.answer(broken, broken, ORDER)
    client = make_client(server.base_url, read_timeout=0.2)
    assert client.get_order(7).order_id == 7
    assert client.requests_made == len(server.seen) == 3


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (Reply(HTML, 503, {"cf-ray": "931354450813d142-CDG"}), errors.ThrottledError),
        (Reply(HTML, 500), errors.ServerError),
        (Reply(HTML, 200), errors.MalformedAnswerError),
        (Reply(order(7), cut=True), errors.NetworkError),
        (Reply(reset=True), errors.NetworkError),
        (Reply(order(7), delay=0.5), errors.NetworkError),
    ],
    ids=str,
)
def test_an_ambiguous_write_is_sent_once(
    make_client: MakeClient, server: HostileServer, broken: Reply, expected: type[errors.BackMarketError]
) -> None:
    """It may have been applied, and there is no idempotency key: the caller must look first."""
    server.answer(broken)
    client = make_client(server.base_url, read_timeout=0.2)
    with pytest.raises(expected) as caught:
        client.update_order(7, 2, sku="A")
    assert not caught.value.surely_not_applied
    assert len(server.seen) == 1


def test_a_throttled_write_is_sent_again(client: BackMarketClient, server: HostileServer) -> None:
    """A 429 stops a request at the door, so the write is repeated whole."""
    server.answer(Reply(HTML, 429), Reply(order(7, state=3)))
    written = client.update_order(7, 3, tracking_number="T1")
    assert written is not None
    assert written.state == 3
    assert [json.loads(request.body)["tracking_number"] for request in server.seen] == ["T1", "T1"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply({"error": {"code": "x", "message": "m"}}, 401), errors.AuthenticationError),
        (Reply(HTML, 403), errors.FirewallError),
        (Reply({"error": {"code": "x", "message": "m"}}, 403), errors.ForbiddenError),
        (Reply({"error": {"code": "x", "message": "m"}}, 404), errors.NotFoundError),
        (Reply("sku not found", 400), errors.RefusedError),
        (Reply({"errors": [{"code": "x", "message": "m"}]}, 422), errors.RefusedError),
    ],
    ids=str,
)
def test_what_is_final_is_not_repeated(
    client: BackMarketClient, server: HostileServer, reply: Reply, expected: type[errors.BackMarketError]
) -> None:
    """Neither a read nor a write insists."""
    server.answer(reply)
    with pytest.raises(expected):
        client.get_order(7)
    with pytest.raises(expected) as caught:
        client.update_order(7, 2, sku="A")
    assert caught.value.surely_not_applied
    assert len(server.seen) == 2


def test_a_server_that_is_not_there(make_client: MakeClient) -> None:
    """Nothing was sent, so even a write is tried again, and surely had no effect."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    client = make_client(f"http://127.0.0.1:{port}", attempts=3)
    with pytest.raises(errors.NetworkError) as caught:
        client.update_order(7, 2, sku="A")
    assert caught.value.surely_not_applied
    assert not caught.value.request_was_sent
    assert "refused" in str(caught.value)
    assert client.requests_made == 3


def test_retry_after_is_waited_for(client: BackMarketClient, server: HostileServer) -> None:
    """The next request of any thread comes no earlier than the server asked."""
    server.answer(Reply(HTML, 429, {"Retry-After": "1"}), ORDER)
    started = time.monotonic()
    client.get_order(7)
    assert time.monotonic() - started >= 1


def test_a_429_stops_all_threads(make_client: MakeClient, server: HostileServer) -> None:
    """While Back Market blocks, each thread runs into it once at most, and then nobody insists."""
    honest = list_of(1000)
    blocked_until = 0.0

    def play(request: Seen) -> Reply:
        nonlocal blocked_until
        if request.page == 6 and not blocked_until:
            blocked_until = time.monotonic() + 0.3
        return Reply(HTML, 429) if time.monotonic() < blocked_until else honest(request)

    server.play = play
    client = make_client(server.base_url, concurrency=8, throttle_pause=0.4)
    assert sum(len(page.orders) for page in single_pass(client.moving_orders())) == 1000
    assert len(server.seen) - 20 <= 8


def test_a_long_retry_after_is_handed_on(client: BackMarketClient, server: HostileServer) -> None:
    """An hour is for the scheduler to wait, not for a worker; other calls are not held up either."""
    server.answer(Reply(HTML, 429, {"Retry-After": "3600"}), ORDER)
    with pytest.raises(errors.ThrottledError) as caught:
        client.get_order(7)
    assert caught.value.retry_after == timedelta(hours=1)
    assert client.get_order(7).order_id == 7


def test_neither_token_nor_body_is_ever_shown(make_client: MakeClient, server: HostileServer) -> None:
    """Even a server that repeats them in its refusal does not get them into a text or a trace."""
    echo = {"error": {"code": "x", "message": f"bad header Basic {TOKEN}"}, "requestId": TOKEN}
    server.answer(Reply(echo, 400, {"cf-ray": TOKEN}))
    client = make_client(server.base_url)
    with pytest.raises(errors.RefusedError) as caught:
        client.update_orderline(7, imei="011415009346880")
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert TOKEN not in shown
    assert "011415009346880" not in repr(vars(caught.value))
    assert "[token]" in shown


def test_an_unreadable_order_is_handed_over(client: BackMarketClient, server: HostileServer) -> None:
    """The error carries the document for the quarantine and shows none of it."""
    document = order(7, price="twelve", shipping_address={"email": "victor@example.com"})
    server.answer(Reply(document))
    with pytest.raises(errors.UnreadableDocumentError, match="price: no number") as caught:
        client.get_order(7)
    assert caught.value.document == document
    assert "victor" not in "".join(traceback.format_exception(caught.value))


def test_the_naive_times_of_one_order_are_judged_by_the_answers_date(
    client: BackMarketClient, server: HostileServer
) -> None:
    """The Date header decides whether a time without a zone can be UTC."""
    document = order(7, date_modification="2026-07-01T13:59:00")
    server.answer(Reply(document, headers={"Date": "Wed, 01 Jul 2026 12:00:00 GMT"}))
    read = client.get_order(7)
    assert read.times_assumed_local
    assert read.date_modification == datetime(2026, 7, 1, 11, 59, tzinfo=UTC)


def test_the_document_of_another_order_is_no_answer(client: BackMarketClient, server: HostileServer) -> None:
    """By it, a parcel's number and a device would go to the wrong order."""
    server.answer(Reply(order(8)))
    with pytest.raises(errors.MalformedAnswerError, match="the document of another order"):
        client.get_order(7)


def test_what_is_sent_to_change_an_order(client: BackMarketClient, server: HostileServer) -> None:
    """Only what was given, the order's id in path and body, the shipping time in UTC."""
    server.answer(Reply({"order_id": 7, "statuscode": 200}))
    shipped = datetime.fromisoformat("2026-07-01T14:00:00+02:00")
    assert client.update_order(7, 3, tracking_number="T1", date_shipping=shipped) is None
    assert server.seen[0].path == "/ws/orders/7"
    assert json.loads(server.seen[0].body) == {
        "order_id": 7,
        "new_state": 3,
        "tracking_number": "T1",
        "date_shipping": "2026-07-01T12:00:00Z",
    }


def test_what_is_sent_to_change_a_listing(client: BackMarketClient, server: HostileServer) -> None:
    """An amount goes as text with the market's currency; quantities need none."""
    server.answer(Reply({}))
    listing_id = UUID("7a97a1b6-547e-4718-bc72-5b84aca91b09")
    client.update_listing(listing_id, "sv-se", price=Decimal("1999.00"), quantity=3)
    client.update_listing(listing_id, "sv-se", quantity=0)
    assert [request.path for request in server.seen] == [f"/ws/listings/{listing_id}"] * 2
    assert [request.headers["accept-language"] for request in server.seen] == ["sv-se"] * 2
    assert json.loads(server.seen[0].body) == {"currency": "SEK", "price": "1999.00", "quantity": 3}
    assert json.loads(server.seen[1].body) == {"quantity": 0}


def test_a_batch_without_an_id_is_ambiguous(client: BackMarketClient, server: HostileServer) -> None:
    """It may run all the same: the SKUs have to be looked for."""
    server.answer(Reply({"statuscode": 200}))
    with pytest.raises(errors.MalformedAnswerError) as caught:
        client.submit_batch("sku,quantity\nA,1\n", "fr-fr")
    assert not caught.value.surely_not_applied


@pytest.mark.parametrize("path", ["../../evil", "a/b", "x?y=1", "http://evil.invalid/"])
def test_an_id_cannot_leave_its_place_in_the_path(client: BackMarketClient, server: HostileServer, path: str) -> None:
    """A strange listing id stays one segment."""
    server.answer(Reply({}, 404))
    with pytest.raises(errors.NotFoundError):
        client.get_listing(path, "fr-fr")
    assert server.seen[0].path.count("/") == 3
    assert server.seen[0].query == {}


def test_the_token_is_checked_by_one_cheap_read(client: BackMarketClient, server: HostileServer) -> None:
    """One request for one document; a revoked token is named as such."""
    server.play = list_of(3)
    client.count_orders()
    assert [request.query for request in server.seen] == [{"page": "1", "page-size": "1"}]
    server.answer(Reply({"error": {"code": "x", "message": "m"}}, 401))
    with pytest.raises(errors.AuthenticationError):
        client.count_orders()


def _firewall(numbers: set[int]) -> Play:
    """Refuse some requests, counted from 1, as Cloudflare does; answer the others."""
    served = 0

    def play(request: Seen) -> Reply:
        nonlocal served
        served += 1
        if served in numbers:
            return Reply("<html>Sorry, you have been blocked</html>", 403, {"cf-ray": "8f1b2c3d4e5f6a7b-CDG"})
        return Reply(order(int(request.path.rsplit("/", 1)[1])))

    return play


def test_one_refusal_by_the_firewall_among_good_answers_is_no_end(
    client: BackMarketClient, server: HostileServer
) -> None:
    """The request goes again, twice at most, after a pause."""
    server.play = _firewall({2, 4, 5})
    assert [client.get_order(each).order_id for each in (1, 2, 3)] == [1, 2, 3]
    assert len(server.seen) == 6


def test_a_refusal_by_the_firewall_that_stays_is_final(client: BackMarketClient, server: HostileServer) -> None:
    """Three times for the same request: a person has to act, and nothing is hammered."""
    server.play = _firewall({2, 3, 4, 5, 6})
    client.get_order(1)
    with pytest.raises(errors.FirewallError):
        client.get_order(2)
    assert len(server.seen) == 4


def test_a_refusal_of_the_first_request_is_final(client: BackMarketClient, server: HostileServer) -> None:
    """Whoever was never answered is blocked, not unlucky."""
    server.play = _firewall({1})
    with pytest.raises(errors.FirewallError):
        client.get_order(1)
    assert len(server.seen) == 1


def test_a_write_that_the_firewall_refused_goes_again(client: BackMarketClient, server: HostileServer) -> None:
    """It never reached Back Market, so it cannot act twice."""
    server.play = _firewall({2})
    client.get_order(1)
    client.update_order(2, 2, sku="A")
    assert [request.method for request in server.seen] == ["GET", "POST", "POST"]
