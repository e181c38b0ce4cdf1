"""Answers of every shape, and the error that each becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.api import errors
from backmarket.api.answers import RawAnswer, api_message, failure, parse_json, read_document, retry_after

HTML = "<!DOCTYPE html><html><body>Cloudflare</body></html>"
V1 = json.dumps({"error": {"code": "bad", "message": "no such sku"}, "requestId": "req-1"})
V2 = json.dumps({"errors": [{"code": "bad", "message": "no such sku"}, {"code": "worse", "message": "at all"}]})
PROBLEM = json.dumps({"type": "/errors/x", "title": "bad", "status": 422, "detail": "no such sku"})
BOT = json.dumps({"errors": [{"code": "bot-need-challenge", "message": "Forbidden"}]})


def answer(status: int, text: str = "", **headers: str) -> RawAnswer:
    """Build an answer; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawAnswer("POST", "/ws/orders/7", status, named, text.encode())


@pytest.mark.parametrize(
    ("status", "text", "headers", "expected"),
    [
        (301, "", {}, errors.RedirectRefusedError),
        (302, HTML, {}, errors.RedirectRefusedError),
        (304, "", {}, errors.RedirectRefusedError),
        (400, V1, {}, errors.RefusedError),
        (401, V1, {}, errors.AuthenticationError),
        (401, HTML, {}, errors.AuthenticationError),
        (403, V1, {}, errors.ForbiddenError),
        (403, HTML, {}, errors.FirewallError),
        (403, "", {}, errors.FirewallError),
        (403, BOT, {}, errors.FirewallError),
        (404, V1, {}, errors.NotFoundError),
        (404, HTML, {}, errors.NotFoundError),
        (408, "", {}, errors.ServerError),
        (409, V1, {}, errors.RefusedError),
        (410, "", {}, errors.RefusedError),
        (422, V2, {}, errors.RefusedError),
        (429, HTML, {}, errors.ThrottledError),
        (429, V1, {}, errors.ThrottledError),
        (500, HTML, {}, errors.ServerError),
        (502, HTML, {"cf_ray": "931354450813d142-CDG"}, errors.ServerError),
        (503, HTML, {}, errors.ServerError),
        (503, HTML, {"cf_ray": "931354450813d142-CDG"}, errors.ThrottledError),
        (520, HTML, {}, errors.ServerError),
        (200, HTML, {}, errors.MalformedAnswerError),
        (200, '{"count": 3, "resul', {}, errors.MalformedAnswerError),
        (200, "[" * 100_000, {}, errors.MalformedAnswerError),
    ],
)
def test_every_failure_has_one_class(
    status: int, text: str, headers: dict[str, str], expected: type[errors.BackMarketError]
) -> None:
    """The class follows from status, body and cf-ray alone."""
    with pytest.raises(errors.BackMarketError) as caught:
        read_document(answer(status, text, **headers))
    assert type(caught.value) is expected
    assert (caught.value.method, caught.value.path, caught.value.status) == ("POST", "/ws/orders/7", status)


@given(status=st.integers(100, 999).filter(lambda status: not 200 <= status < 300), text=st.text(max_size=60))
def test_no_answer_escapes_the_tree(status: int, text: str) -> None:
    """Whatever comes, it becomes an error of ours whose text can be shown."""
    assert isinstance(failure(answer(status, text)), errors.BackMarketError)
    assert str(failure(answer(status, text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (V1, "bad: no such sku"),
        (V2, "bad: no such sku: worse: at all"),
        (PROBLEM, "bad: no such sku"),
        ('"parameter catalog not found"', "parameter catalog not found"),
        ('{"error": "new_state 9 must be in 2,3,4,5,6"}', "new_state 9 must be in 2,3,4,5,6"),
        (json.dumps({"message": "x" * 999}), "x" * 300),
        (json.dumps({"address": {"message": "12 rue Victor Hugo"}}), None),
        (HTML, None),
        ("", None),
        ("null", None),
    ],
)
def test_the_reason_is_found_in_every_envelope(text: str, expected: str | None) -> None:
    """Four JSON envelopes are understood; of anything else nothing is repeated."""
    assert api_message(text.encode()) == expected


def test_only_refusals_carry_the_reason() -> None:
    """A 500's message describes Back Market's inside: it is not repeated."""
    assert failure(answer(422, V1)).api_message == "bad: no such sku"
    assert failure(answer(500, V1)).api_message is None


def test_ids_for_support_are_kept_and_nothing_else_passes_for_one() -> None:
    """requestId comes from the body, cf-ray from the header; neither lets free text into a log."""
    error = failure(answer(400, V1, cf_ray="931354450813d142-CDG"))
    assert (error.request_id, error.cf_ray) == ("req-1", "931354450813d142-CDG")
    error = failure(answer(400, '{"requestId": "Victor Hugo, Paris"}', cf_ray="Basic abc"))
    assert (error.request_id, error.cf_ray) == (None, None)


DATE = "Wed, 16 Apr 2025 11:26:41 GMT"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("Wed, 16 Apr 2025 11:27:11 GMT", timedelta(seconds=30)),
        ("Wed, 16 Apr 2025 11:00:00 GMT", timedelta(0)),
        ("9" * 400, timedelta(days=1)),
        ("-5", None),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_in_all_its_forms(header: str, expected: timedelta | None) -> None:
    """Seconds or a date by the server's own clock; nonsense counts as absent, a day is the most."""
    assert retry_after(answer(429, retry_after=header, date=DATE)) == expected


def test_server_time_is_the_date_header_in_utc() -> None:
    """Without the header, or with a broken one, this machine's clock stands in."""
    assert answer(200, date=DATE).server_time == datetime(2025, 4, 16, 11, 26, 41, tzinfo=UTC)
    for broken in ("", "yesterday"):
        assert abs(answer(200, date=broken).server_time - datetime.now(UTC)) < timedelta(seconds=5)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_money_is_never_a_float(amount: Decimal) -> None:
    """A JSON number with a fraction keeps every digit."""
    parsed = parse_json(f'{{"price": {amount}}}'.encode())["price"]
    assert isinstance(parsed, Decimal)
    assert str(parsed) == str(amount)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(document=_JSON, ascii_only=st.booleans())
def test_any_json_is_read_as_python_reads_it(document: object, *, ascii_only: bool) -> None:
    """But for numbers: what has a fraction is exact, what is none is text."""
    body = json.dumps(document, ensure_ascii=ascii_only).encode(errors="replace")
    assert repr(parse_json(body)) == repr(json.loads(body, parse_float=Decimal, parse_constant=str))


def test_half_a_character_costs_no_page() -> None:
    """A body that is no UTF-8 in one place is read around it."""
    assert parse_json(b'["M\xfcller", "ok"]') == ["M\ufffdller", "ok"]


def test_not_a_number_is_kept_as_text() -> None:
    """NaN is no JSON: as text it fails one field, not the page."""
    assert parse_json(b"[NaN, Infinity, 1e2]") == ["NaN", "Infinity", Decimal(100)]


def test_an_answer_shows_neither_headers_nor_body() -> None:
    """Answers may end up in a trace."""
    assert "secret" not in repr(answer(200, "secret", set_cookie="secret"))


def test_a_write_may_answer_nothing() -> None:
    """An empty 2xx has no document, which is the caller's to judge."""
    assert read_document(answer(204)) is None


def test_a_date_beyond_the_calendar_is_none() -> None:
    """A clock gone astray fails no answer: this machine's is taken instead."""
    read = RawAnswer("GET", "/ws/orders", 200, {"date": "Fri, 31 Dec 9999 23:59:59 -0100"}, b"{}")
    assert abs(read.server_time - datetime.now(UTC)) < timedelta(minutes=1)
