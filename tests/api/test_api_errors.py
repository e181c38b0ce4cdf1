"""The error tree: what each error says, and what it tells about a write."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from backmarket.api import errors
from backmarket.api.errors import BackMarketError, NetworkError, UnreadableDocumentError


def _all_classes(base: type[BackMarketError] = BackMarketError) -> list[type[BackMarketError]]:
    return [base, *(each for sub in base.__subclasses__() for each in _all_classes(sub))]


ALL_CLASSES = _all_classes()


def _example(error_class: type[BackMarketError]) -> BackMarketError:
    if issubclass(error_class, (NetworkError, UnreadableDocumentError)):
        return error_class("ReadTimeout", method="POST", path="/ws/orders/7")
    return error_class(
        "detail",
        method="POST",
        path="/ws/orders/7",
        status=429,
        request_id="req-1",
        cf_ray="931354450813d142-CDG",
        api_message="no",
        retry_after=timedelta(seconds=3),
    )


def test_the_tree_at_the_top_is_complete() -> None:
    """The drawing in the module's docstring names every class there is."""
    assert len(ALL_CLASSES) > 10
    assert [each.__name__ for each in ALL_CLASSES if each.__name__ not in (errors.__doc__ or "")] == []


@pytest.mark.parametrize("error_class", ALL_CLASSES)
def test_survives_pickling(error_class: type[BackMarketError]) -> None:
    """An error crosses a process border with its class, its text and its data."""
    error = _example(error_class)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is error_class
    assert (str(copy), vars(copy)) == (str(error), vars(error))


@pytest.mark.parametrize("error_class", ALL_CLASSES)
def test_says_what_happened_where(error_class: type[BackMarketError]) -> None:
    """Each text names the request, is whole sentences, and fits a log line."""
    text = str(_example(error_class))
    assert "POST /ws/orders/7" in text
    assert text.endswith(".")
    assert ".." not in text
    assert len(text) < 400


def test_text_as_a_person_reads_it() -> None:
    """What happened, to what, why, and what to do."""
    error = errors.AuthenticationError(method="GET", path="/ws/orders", status=401, request_id="req-1")
    assert str(error) == (
        "Back Market refused the token at GET /ws/orders (status 401, request req-1). Create a new token in the "
        "Back Office (Options, Integrations page) and put it into the Airflow connection."
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.AuthenticationError(), True),
        (errors.FirewallError(), True),
        (errors.ForbiddenError(), True),
        (errors.NotFoundError(), True),
        (errors.RefusedError(), True),
        (errors.RedirectRefusedError(), True),
        (errors.ThrottledError(status=429), True),
        (errors.ThrottledError(), True),
        (errors.ThrottledError(status=503), False),
        (errors.ServerError(status=500), False),
        (errors.NetworkError(request_was_sent=False), True),
        (errors.NetworkError(request_was_sent=True), False),
        (errors.MalformedAnswerError(), False),
        (errors.UnreadableDocumentError(), False),
    ],
    ids=lambda value: f"{type(value).__name__}-{vars(value).get('status')}" if isinstance(value, Exception) else None,
)
def test_tells_whether_a_write_had_an_effect(error: BackMarketError, expected: bool) -> None:
    """Only what stopped at the door certainly changed nothing; everything later may have."""
    assert error.surely_not_applied is expected


def test_an_unreadable_document_is_carried_and_never_shown() -> None:
    """The document may be personal: it is there for the quarantine, not for the log."""
    error = UnreadableDocumentError("state: no whole number", document={"email": "victor@example.com"})
    assert error.document == {"email": "victor@example.com"}
    assert "victor" not in f"{error} {error!r}"
