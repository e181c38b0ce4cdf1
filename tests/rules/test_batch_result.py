"""A batch's report has no fixed form: errors are found wherever it holds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backmarket.rules.batch_result import CreatedListing, differences, errors_by_key, told
from backmarket.rules.batches import MOST_SENDINGS, BatchState, Line, end_of_creation, next_poll

SENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEADLINE = timedelta(minutes=45)


@pytest.mark.parametrize(
    "report",
    [
        {"product_success": {"A": {"id": 1}}, "product_errors": {"B": "no match"}},
        {"product_success": {"A": {}}, "product_errors": {"B": ["no match"]}},
        {"product_success": [], "product_errors": [{"sku": "B", "message": "no match"}]},
        {"listing_errors": {"B": {"ean": "no match"}}},
        {"A": {"id": 1, "errors": []}, "B": {"errors": ["no match"]}},
        [{"sku": "A", "error": None}, {"sku": "B", "error": "no match"}],
        {"results": [{"sku": "A"}, {"ean": "b", "errors": {"x": "no match"}}]},
        {"product_success": {"A": {}, "B": {"errors": "no match"}}},
        '{"product_success": {"A": {"id": 1}}, "product_errors": {"B": "no match"}}',
    ],
)
def test_errors_are_found_in_every_form_seen(report: Any) -> None:
    """By SKU or EAN in lower case, with the words; what succeeded is not among them."""
    errors = errors_by_key(report)
    assert list(errors) == ["b"]
    assert "no match" in errors["b"]


@pytest.mark.parametrize(
    "report",
    [
        {"product_errors": {"2": {"sku": "B", "message": "no match"}}},
        {"product_errors": {"line 2": [{"sku": "B", "message": "no match"}]}},
        {"errors": [{"line": 2, "errors": [{"sku": "B", "message": "no match"}]}]},
        {"lines": [{"line": 2, "errors": {"B": "no match"}}]},
    ],
)
def test_errors_are_found_where_they_stand_under_the_number_of_a_line(report: Any) -> None:
    """The SKU inside tells which line it is: else it would be sent again, as if nothing was said of it."""
    assert "no match" in errors_by_key(report).get("b", "")


@pytest.mark.parametrize("name", [{"a": 1}, ["A"], True, None, ""])
def test_an_odd_name_costs_no_other_its_error(name: object) -> None:
    """What names no SKU is left out; the errors beside it are found."""
    errors = errors_by_key([{"sku": name, "error": "lost"}, {"sku": "B", "error": {"code": 3}}])
    assert errors == {"b": "code: 3"}


@pytest.mark.parametrize(
    ("error", "words"),
    [("interrupted", "interrupted"), ({"code": 3, "text": "a\nb"}, "code: 3; text: a b"), (None, "no reason given")],
)
def test_why_a_batch_failed_is_told_in_whatever_form(error: object, words: str) -> None:
    """A text, an object or nothing."""
    assert told(error) == words


def test_a_sku_that_sounds_like_an_error_is_none() -> None:
    """``FAIL-ERROR-1`` is a SKU."""
    assert errors_by_key({"product_success": {"FAIL-ERROR-1": {"id": 1}}, "product_errors": {}}) == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["product_errors", "errors", "sku", "failed"]), inner)
        ),
    )
)
@example({"product_errors": {"SKU": []}})
@example("[" * 100_000)
@example('{"product_errors": 1e')
def test_no_report_is_stumbled_over(report: Any) -> None:
    """Whatever JSON comes, texts by text come out."""
    for key, text in errors_by_key(report).items():
        assert isinstance(key, str)
        assert 0 < len(text) <= 500


def _line(batch: BatchState, **values: Any) -> Line:
    return Line(**{"batch": batch, "sent_at": SENT, "attempts": 1, "is_shown": False, **values})


@pytest.mark.parametrize(
    ("line", "minutes", "status"),
    [
        (_line("done", is_shown=True), 1, "confirmed"),
        (_line("done", error="no match"), 1, "refused"),
        (_line("done"), 1, "unknown"),
        (_line("done"), 46, "planned"),
        (_line("done", attempts=MOST_SENDINGS), 46, "refused"),
        (_line("lost", is_shown=True), 1, "confirmed"),
        (_line("lost"), 1, "unknown"),
        (_line("lost"), 46, "planned"),
        (_line("failed", error="interrupted"), 1, "planned"),
        (_line("failed", is_shown=True, error="interrupted"), 1, "confirmed"),
        (_line("failed", attempts=MOST_SENDINGS), 1, "refused"),
        (_line("running"), 1, "unknown"),
        (_line("running"), 600, "unknown"),
        (_line("running"), 1441, "refused"),
        (_line("running", is_shown=True), 46, "confirmed"),
    ],
)
def test_how_a_line_ends(line: Line, minutes: int, status: str) -> None:
    """A batch that may still be at work is never sent again; one that surely is not goes out at most three times."""
    assert end_of_creation(line, now=SENT + timedelta(minutes=minutes), deadline=DEADLINE).status == status


def test_a_line_created_with_an_error_or_a_difference_says_so() -> None:
    """Created is created, and a person is told what is odd."""
    end = end_of_creation(
        _line("done", is_shown=True, error="shipper unknown", differences=("grade is GOOD instead of FAIR",)),
        now=SENT,
        deadline=DEADLINE,
    )
    assert end.status == "confirmed"
    assert end.reason == "created, but grade is GOOD instead of FAIR; Back Market reports: shipper unknown"


@given(st.integers(0, 10_000))
def test_looks_grow_rarer_and_never_pass_the_deadline_by(seconds: int) -> None:
    """The next look lies ahead, at most ten minutes, and one falls on the deadline."""
    now, poll = SENT + timedelta(seconds=seconds), timedelta(seconds=30)
    look = next_poll(SENT, now=now, poll=poll, deadline=DEADLINE)
    assert now < look <= now + timedelta(minutes=10)
    assert look <= max(SENT + DEADLINE, now + poll)


def test_differences_name_both_sides() -> None:
    """Product by either of its ids, price by value, quantity, grade and currency."""
    columns = {"sku": "A", "product_id": "51001", "price": "199.9", "currency": "EUR", "quantity": "3", "grade": "FAIR"}
    created = CreatedListing("uuid", 51001, Decimal("199.90"), "EUR", 3, "FAIR")
    assert differences(columns, created) == []
    assert differences(columns, CreatedListing("uuid", 51002, None, "GBP", 2, None)) == [
        "product is uuid instead of 51001",
        "price is none instead of 199.9",
        "currency is GBP instead of EUR",
        "quantity is 2 instead of 3",
        "grade is none instead of FAIR",
    ]


def test_a_product_is_compared_only_where_one_was_named() -> None:
    """With an EAN alone nothing is said of it; a UUID is the same in upper case; an unknown grade is a difference."""
    columns = {"sku": "A", "price": "199.9", "currency": "EUR", "quantity": "3", "grade": "FAIR"}
    created = CreatedListing("ABCD-12", None, Decimal("199.9"), "eur", 3, "fair")
    assert differences(columns, created) == []
    assert differences({**columns, "product_id": "abcd-12"}, created) == []
    nameless = CreatedListing(None, None, Decimal("199.9"), "EUR", 3, "FAIR")
    assert differences({**columns, "product_id": "ABCD-12"}, nameless) == ["product is none instead of ABCD-12"]
    assert differences({**columns, "product_id": "ABCD-12"}, created) == []
    assert differences({**columns, "price": "200"}, created) == ["price is 199.9 instead of 200"]


def test_several_errors_of_a_line_are_told_one_after_the_other() -> None:
    """Each in the words of Back Market, without the SKU that they stand beside."""
    report = {"product_errors": [{"sku": "B", "message": "no match"}], "listing_errors": {"A": ["too dear", "too old"]}}
    assert errors_by_key(report) == {"a": "too dear; too old", "b": "message: no match"}
    twice = {"product_errors": {"A": "no match"}, "listing_errors": {"A": "too dear"}}
    assert errors_by_key(twice) == {"a": "no match; too dear"}
