"""Reading and answering what comes after a sale, over HTTP."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email import message_from_bytes, policy
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from pyrate_limiter import InMemoryBucket, Rate

from backmarket.api import errors
from backmarket.api.care import LARGEST_ATTACHMENT, Attachment
from backmarket.api.paging import RawPage, Window
from backmarket.api.throttle import Throttle
from tests.api.hostile_server import HostileServer, Play, Reply, Seen
from tests.simulate_lists import Shifting, evenly, read_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import CareFolderPage
    from backmarket.api.moving_list import MovingList
    from tests.api.conftest import MakeClient

SIZE = 10
SECRET = "Dear Mr Hugo, your battery is on its way"
PHOTO = Attachment("photo.jpg", b"\xff\xd8\x00--\r\n", "image/jpeg")


def folders(rows: list[int], *, totals: bool, moves: Callable[[int], None] = lambda _: None) -> Play:
    """Serve a list of care folders, ten a page.

    :param totals: whether ``count`` is that of all folders; else that of the page, as the spec has it.
    :param moves: what happens to the rows after a request, by its number.
    """
    requests = 0

    def play(request: Seen) -> Reply:
        nonlocal requests
        requests += 1
        start = (request.page - 1) * SIZE
        found, total = rows[start : start + SIZE], len(rows)
        moves(requests)
        if not found and request.page > 1:
            return Reply({"error": {"code": "not_found", "message": "page not found"}}, 404)
        following = "https://elsewhere.invalid/ws/sav/?page=2" if start + SIZE < total else None
        count = total if totals else len(found)
        return Reply({"count": count, "next": following, "previous": "null", "results": [{"id": row} for row in found]})

    return play


def ids(reading: MovingList[CareFolderPage]) -> set[int]:
    """Read a list to its end."""
    return {folder.care_folder_id for page in reading.pages() for folder in page.folders}


@pytest.mark.parametrize("totals", [True, False], ids=["totals", "per page"])
@pytest.mark.parametrize(
    ("length", "requests"), [(0, 1), (1, 1), (10, 1), (11, 5), (20, 5), (25, 7), (100, 21), (2_500, 501)]
)
def test_a_list_is_read_whole_at_little_cost(
    client: BackMarketClient, server: HostileServer, totals: bool, length: int, requests: int
) -> None:
    """One page is one request; more are read twice and the first once more, whatever the list counts."""
    server.play = folders(list(range(1, length + 1)), totals=totals)
    reading = client.moving_care_folders()
    assert ids(reading) == set(range(1, length + 1))
    assert (reading.is_complete, reading.is_proven) == (True, True)
    assert len(server.seen) == requests
    assert all(request.path == "/ws/sav" and set(request.query) == {"page"} for request in server.seen)


@pytest.mark.parametrize("totals", [True, False], ids=["totals", "per page"])
def test_a_list_that_moves_loses_nothing(client: BackMarketClient, server: HostileServer, totals: bool) -> None:
    """A folder leaves whenever a page was read, until a third are gone: none that stays is missed."""
    rows = list(range(1, 61))

    def leave(request: int) -> None:
        if request <= 20:
            rows.pop(0)

    server.play = folders(rows, totals=totals, moves=leave)
    reading = client.moving_care_folders()
    assert ids(reading) >= set(range(21, 61))
    assert reading.is_complete
    assert len(server.seen) <= 8 * 7


class _PerPage(Shifting):
    """A list that counts no further than each page, as the client reads it."""

    def next(self) -> tuple[Window, RawPage | errors.BackMarketError | None]:
        """Serve a page."""
        window, page = super().next()
        if not isinstance(page, RawPage):
            return window, page
        own = Window(window.number, SIZE)
        return window, replace(page, window=own, count=own.start + len(page.documents), has_own_size=True)


def test_what_moves_at_random_is_read_whole() -> None:
    """Folders come, jump and go while up to 200 pages are read."""
    outcomes = []
    for seed in range(60):
        rng = Random(seed)  # noqa: S311 - chance that can be repeated, not secrets
        length = rng.randint(0, 2_000)
        rates = evenly(0.2)(rng)
        outcomes.append(read_one(_PerPage(rng, length, rates, size_limit=SIZE, keeps_sizes=False)))
    assert [outcome for outcome in outcomes if outcome.lost or not outcome.is_complete] == []
    assert max(outcome.passes for outcome in outcomes) < 8


@pytest.mark.parametrize("totals", [True, False], ids=["totals", "per page"])
def test_a_page_that_fails_leaves_the_list_incomplete(
    client: BackMarketClient, server: HostileServer, totals: bool
) -> None:
    """It fails the reading after all other pages were handed over, and is never taken for the end."""
    honest = folders(list(range(1, 36)), totals=totals)
    server.play = lambda request: Reply("<html>", 500) if request.page == 3 else honest(request)
    reading = client.moving_care_folders()
    seen: list[CareFolderPage] = []
    with pytest.raises(errors.ServerError):
        seen.extend(reading.pages())
    assert not reading.is_complete
    assert {folder.care_folder_id for page in seen for folder in page.folders} >= set(range(1, 21))


def test_an_end_that_only_a_404_tells(client: BackMarketClient, server: HostileServer) -> None:
    """Each page names a next one, the last one, too."""
    honest = folders(list(range(1, 21)), totals=False)

    def play(request: Seen) -> Reply:
        reply = honest(request)
        return Reply({**reply.body, "next": "https://elsewhere.invalid"}) if reply.status == 200 else reply

    server.play = play
    reading = client.moving_care_folders()
    assert ids(reading) == set(range(1, 21))
    assert reading.is_complete
    assert len(server.seen) == 7


def test_a_list_that_serves_its_last_page_for_ever_is_given_up(client: BackMarketClient, server: HostileServer) -> None:
    """It counts each page alone, so no count tells that it is over."""
    server.play = lambda _: Reply({"count": 10, "next": "https://x.invalid", "results": [{"id": 1}] * 10})
    with pytest.raises(errors.MalformedAnswerError, match="without an end"):
        ids(client.moving_care_folders())
    assert len(server.seen) < 250


def test_a_page_tells_what_could_not_be_read(client: BackMarketClient, server: HostileServer) -> None:
    """One folder without an id costs no other; times are judged by the answer's date."""
    results = [{"id": 1, "date_creation": "2026-07-01T13:59:00"}, {"client": {"email": "victor@example.com"}}]
    body = {"count": 2, "next": None, "results": results}
    server.answer(Reply(body, headers={"Date": "Wed, 01 Jul 2026 12:00:00 GMT"}))
    (page,) = client.moving_care_folders().pages()
    assert (page.number, page.count, page.server_time) == (1, 2, datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert page.folders[0].date_creation == datetime(2026, 7, 1, 11, 59, tzinfo=UTC)
    assert [each.reason for each in page.unreadable] == ["id: missing"]
    assert "victor" not in repr(page)


def test_what_filters_a_list(client: BackMarketClient, server: HostileServer) -> None:
    """Minutes in UTC, rounded down; only what was given."""
    server.play = folders([], totals=False)
    since = datetime(2026, 7, 1, 1, 59, 59, tzinfo=timezone(timedelta(hours=2)))
    ids(client.moving_care_folders(modified_since=since, state=0, orderline_id=456))
    assert server.seen[0].query == {
        "last_modification_date": "2026-06-30-23-59",
        "state": "0",
        "orderline": "456",
        "page": "1",
    }
    with pytest.raises(ValueError, match="aware"):
        client.moving_care_folders(modified_since=datetime(2026, 7, 1))  # noqa: DTZ001 - refused


def test_one_folder(client: BackMarketClient, server: HostileServer) -> None:
    """By its id, with its messages; one that cannot be understood is handed over and not shown."""
    server.answer(Reply({"id": 5, "messages": [{"id": 6, "message": "Hello"}]}), Reply({"client": {"email": "a@b.fr"}}))
    read = client.get_care_folder(5)
    assert (read.care_folder_id, read.messages[0].text) == (5, "Hello")
    assert server.seen[0].path == "/ws/sav/5"
    with pytest.raises(errors.UnreadableDocumentError) as caught:
        client.get_care_folder(5)
    assert "a@b.fr" not in "".join(traceback.format_exception(caught.value))


def form_of(request: Seen) -> list[tuple[str | None, str | None, str, bytes]]:
    """Read a form as a server does: name, file name, media type and content of each part."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body, policy=policy.HTTP)
    assert message.get_content_type() == "multipart/form-data"
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get_content_type(),
            bytes(part.get_payload(decode=True)),
        )
        for part in message.iter_parts()
    ]


def test_a_message_with_files(client: BackMarketClient, server: HostileServer) -> None:
    """A form in UTF-8; the answer tells the message's id."""
    server.answer(Reply({"id": 77, "message": "Prêt ✓"}, 201))
    assert client.post_care_message(5, "Prêt ✓", [PHOTO, Attachment("note.pdf", b"%PDF", "application/pdf")]) == 77
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/ws/sav/5/msg")
    assert form_of(request) == [
        ("message", None, "text/plain", "Prêt ✓".encode()),
        ("attachment", "photo.jpg", "image/jpeg", PHOTO.content),
        ("attachment", "note.pdf", "application/pdf", b"%PDF"),
    ]


@pytest.mark.parametrize("body", [{}, {"id": "x"}, {"id": True}, [], "", "null"])
def test_a_message_whose_id_is_not_told(client: BackMarketClient, server: HostileServer, body: Any) -> None:
    """It was posted all the same; without files it is a form, too."""
    server.answer(Reply(body, 201))
    assert client.post_care_message(5, "Hello") is None
    assert [part[0] for part in form_of(server.seen[0])] == ["message"]


def test_a_throttled_form_is_sent_again_whole(client: BackMarketClient, server: HostileServer) -> None:
    """With the same parts."""
    server.answer(Reply("<html>", 429), Reply({"id": 77}, 201))
    assert client.post_care_message(5, "Hello", [PHOTO]) == 77
    first, second = server.seen
    assert form_of(first) == form_of(second)
    assert len(form_of(first)) == 2


def test_a_file_cannot_write_headers(client: BackMarketClient, server: HostileServer) -> None:
    """Neither by its name nor by its type."""
    server.answer(Reply({}, 201))
    client.post_care_message(5, "Hello", [Attachment('a"\r\nX-Evil: 1\r\n\r\n.jpg', b"x", "image/jpeg")])
    assert b"\r\nX-Evil" not in server.seen[0].body
    assert len(form_of(server.seen[0])) == 2
    with pytest.raises(ValueError, match="media type"):
        Attachment("a.jpg", b"x", "image/jpeg\r\nX-Evil: 1")


def test_files_beyond_the_limits_are_refused_here(client: BackMarketClient, server: HostileServer) -> None:
    """Nothing is sent, and the error names no file."""
    largest = Attachment("hugo.jpg", b"x" * LARGEST_ATTACHMENT, "image/jpeg")
    larger = Attachment("hugo.jpg", b"x" * (LARGEST_ATTACHMENT + 1), "image/jpeg")
    with pytest.raises(ValueError, match="attachment 2 has 3,000,001 bytes") as caught:
        client.post_care_message(5, SECRET, [largest, larger])
    assert "hugo" not in str(caught.value)
    with pytest.raises(ValueError, match="11 attachments"):
        client.declare_problem(5, attachments=[PHOTO] * 11)
    assert server.seen == []
    server.answer(Reply({}, 201))
    client.post_care_message(5, SECRET, [largest] + [PHOTO] * 9)
    assert "xxx" not in repr(largest)


@pytest.mark.parametrize("body", ["", "Declared", {}])
def test_a_problem(client: BackMarketClient, server: HostileServer, body: Any) -> None:
    """Declared whatever words answer it; a message only where there is one."""
    server.answer(Reply(body, 201))
    client.declare_problem(5)
    client.declare_problem(5, "DAMAGED_PACKAGE", "Wet", [PHOTO])
    assert [request.path for request in server.seen] == ["/ws/sav/5/problem"] * 2
    assert [(name, content) for name, _, _, content in form_of(server.seen[0])] == [("problem_type", b"OTHER")]
    assert [name for name, *_ in form_of(server.seen[1])] == ["problem_type", "message", "attachment"]


@pytest.mark.parametrize("body", ["", "Success", {}])
def test_an_item_transfer(client: BackMarketClient, server: HostileServer, body: Any) -> None:
    """JSON in camelCase, with what was given."""
    server.answer(Reply(body, 201))
    client.declare_item_transfer(5, "DHL", "123AZ")
    client.declare_item_transfer(5, "DHL", "123AZ", "REPAIR")
    assert [request.path for request in server.seen] == ["/ws/sav/5/item-transfer"] * 2
    assert [json.loads(request.body) for request in server.seen] == [
        {"shipperName": "DHL", "trackingNumber": "123AZ"},
        {"shipperName": "DHL", "trackingNumber": "123AZ", "action": "REPAIR"},
    ]


@pytest.mark.parametrize(
    ("amount", "sent"),
    [("89.90", "89.90"), ("0.1", "0.1"), ("1E+2", "100"), ("12345678901234.56", "12345678901234.56")],
)
def test_the_amount_of_a_refund_is_a_number(
    client: BackMarketClient, server: HostileServer, amount: str, sent: str
) -> None:
    """With the very digits of the Decimal."""
    server.answer(Reply("99€ refunded on the sku 123456", 201, {"Content-Type": "text/plain"}))
    assert client.create_refund(321, 6, Decimal(amount)) == "99€ refunded on the sku 123456"
    (request,) = server.seen
    assert (request.path, request.headers["content-type"]) == ("/ws/sav/refund", "application/json")
    assert request.body.decode() == f'{{"orderline_pk":321,"refund_type":6,"amount":{sent}}}'


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ("99€ refunded\n", "99€ refunded"),
        ('"99€ refunded"', "99€ refunded"),
        ("", None),
        ({"refunded": 99}, None),
        ("99.00", None),
    ],
)
def test_a_refund_is_made_whatever_answers_it(
    client: BackMarketClient, server: HostileServer, body: Any, summary: str | None
) -> None:
    """The spec has a text; JSON or nothing says as much."""
    server.answer(Reply(body, 201))
    assert client.create_refund(321, 4) == summary
    assert json.loads(server.seen[0].body) == {"orderline_pk": 321, "refund_type": 4}


@pytest.mark.parametrize(
    "reply", [Reply(reset=True), Reply("99€ refunded", 201, cut=True), Reply("<html>", 201)], ids=str
)
def test_a_refund_without_a_clear_answer_is_sent_once(
    client: BackMarketClient, server: HostileServer, reply: Reply
) -> None:
    """It may have been made; a page of the firewall's is no summary."""
    server.answer(reply)
    with pytest.raises(errors.BackMarketError) as caught:
        client.create_refund(321, 4)
    assert not caught.value.surely_not_applied
    assert len(server.seen) == 1


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_an_amount_that_is_none_is_refused_here(client: BackMarketClient, server: HostileServer, amount: str) -> None:
    """And so is one beside a type that refunds all: it would give back more than it says."""
    with pytest.raises(ValueError, match="amount"):
        client.create_refund(321, 6, Decimal(amount))
    with pytest.raises(ValueError, match="amount"):
        client.create_refund(321, 4, Decimal(1))
    assert server.seen == []


WRITES: list[Callable[[BackMarketClient], Any]] = [
    lambda client: client.post_care_message(5, SECRET, [PHOTO]),
    lambda client: client.declare_problem(5, "OTHER", SECRET, [PHOTO]),
    lambda client: client.declare_item_transfer(5, "DHL", "123AZ"),
    lambda client: client.create_refund(321, 4),
    lambda client: client.upload_invoice(7, "hugo.pdf", b"%PDF"),
]


@pytest.mark.parametrize("write", WRITES, ids=["message", "problem", "transfer", "refund", "invoice"])
@pytest.mark.parametrize(
    ("status", "expected", "is_final"),
    [
        (400, errors.RefusedError, True),
        (401, errors.AuthenticationError, True),
        (403, errors.ForbiddenError, True),
        (404, errors.NotFoundError, True),
        (413, errors.RefusedError, True),
        (422, errors.RefusedError, True),
        (500, errors.ServerError, False),
    ],
)
def test_how_a_write_is_refused(
    client: BackMarketClient,
    server: HostileServer,
    write: Callable[[BackMarketClient], Any],
    status: int,
    expected: type[errors.BackMarketError],
    is_final: bool,
) -> None:
    """Once, and named by what to do about it; nothing of what was sent is shown."""
    server.answer(Reply({"error": {"code": "x", "message": f"not with {SECRET} and hugo.pdf"}}, status))
    with pytest.raises(expected) as caught:
        write(client)
    assert caught.value.surely_not_applied is is_final
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("echo", "shown"),
    [
        (f"bad text {SECRET}", "its reason repeats what was sent"),
        (f"bad text {SECRET[:25]}…", "its reason repeats what was sent"),
        (f"bad text {SECRET.upper()}", "its reason repeats what was sent"),
        ("photo.jpg is no picture", "its reason repeats what was sent"),
        ("Attachments are mandatory for this problem type", "Attachments are mandatory for this problem type"),
    ],
)
def test_a_reason_that_repeats_a_message_is_left_out(
    client: BackMarketClient, server: HostileServer, echo: str, shown: str
) -> None:
    """The API's own words are kept otherwise: they say what to correct."""
    server.answer(Reply({"error": {"message": echo}}, 422))
    for write in WRITES[:2]:
        with pytest.raises(errors.RefusedError) as caught:
            write(client)
        assert caught.value.api_message == shown
        assert "Hugo" not in "".join(traceback.format_exception(caught.value)).replace(SECRET, "")


def test_what_a_customer_reads_of_a_refund(client: BackMarketClient, server: HostileServer) -> None:
    """It goes with the order, and into no error."""
    server.answer(Reply({}), Reply({"error": {"message": f"too long: {SECRET}"}}, 400))
    client.update_order(7, 6, sku="A", return_reason=21, return_message=SECRET)
    assert json.loads(server.seen[0].body) == {
        "order_id": 7,
        "new_state": 6,
        "sku": "A",
        "return_reason": 21,
        "return_message": SECRET,
    }
    with pytest.raises(errors.RefusedError) as caught:
        client.update_order(7, 6, sku="A", return_reason=21, return_message=SECRET)
    assert "Hugo" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "OK", {}])
def test_an_invoice(client: BackMarketClient, server: HostileServer, body: Any) -> None:
    """One PDF in a form, accepted whatever words answer it."""
    server.answer(Reply(body, 200))
    client.upload_invoice(7, "invoice.pdf", b"%PDF\r\n")
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/ws/orders/7/invoice")
    assert form_of(request) == [("invoice", "invoice.pdf", "application/pdf", b"%PDF\r\n")]


def test_a_days_limit_is_no_wait(make_client: MakeClient, server: HostileServer) -> None:
    """A refund that would have to wait for hours never leaves, and says when it may; other requests go."""
    server.answer(Reply({"id": 5}, 201))
    unlimited = [Rate(1_000_000, 1_000)]
    buckets = (InMemoryBucket(unlimited), InMemoryBucket(unlimited))
    throttle = Throttle(*buckets, lambda _, rates: InMemoryBucket([Rate(2, rates[-1].interval)]))
    client = make_client(server.base_url, throttle)
    client.create_refund(321, 4)
    client.create_refund(322, 4)
    with pytest.raises(errors.ThrottledError, match=r"POST /ws/sav/refund: .* in about 24\.0 hours") as caught:
        client.create_refund(323, 4)
    assert caught.value.surely_not_applied
    assert caught.value.retry_after is not None
    assert timedelta(hours=23) < caught.value.retry_after < timedelta(hours=25)
    assert len(server.seen) == 2
    client.get_care_folder(5)
