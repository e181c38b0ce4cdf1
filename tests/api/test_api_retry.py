"""Which failures are repeated, how often, and after which wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backmarket.api import errors
from backmarket.api.config import ClientConfig
from backmarket.api.retry import may_be_repeated, retrying


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        (errors.ThrottledError(status=429), True, True),
        (errors.ThrottledError(status=503), True, False),
        (errors.NetworkError(request_was_sent=False), True, True),
        (errors.NetworkError(request_was_sent=True), True, False),
        (errors.ServerError(status=500), True, False),
        (errors.MalformedAnswerError(), True, False),
        (errors.AuthenticationError(), False, False),
        (errors.FirewallError(), False, False),
        (errors.ForbiddenError(), False, False),
        (errors.NotFoundError(), False, False),
        (errors.RefusedError(), False, False),
        (errors.RedirectRefusedError(), False, False),
        (ValueError(), False, False),
        (KeyboardInterrupt(), False, False),
    ],
    ids=lambda value: f"{type(value).__name__}-{vars(value)}" if isinstance(value, BaseException) else None,
)
def test_what_is_repeated(error: BaseException, read: bool, write: bool) -> None:
    """A read repeats what may pass; a write only what besides surely was not applied; nothing else, ever."""
    assert may_be_repeated(error, is_write=False) is read
    assert may_be_repeated(error, is_write=True) is write


def _config(**options: Any) -> ClientConfig:
    settings = {"base_url": "http://127.0.0.1:1", "token": "t", "user_agent": "BM-Acme-Airflow;a@example.com"}
    return ClientConfig(**{**settings, **options})


def _waits(config: ClientConfig, error: Exception) -> list[float]:
    """Fail for ever; return the waits that were taken, without taking them."""
    waits: list[float] = []
    loop = retrying(config, is_write=False, was_answered=lambda: True)
    loop.sleep = waits.append

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        loop(fail)
    return waits


def test_tries_are_bounded() -> None:
    """After the last try the error itself comes out, not a wrapper."""
    assert len(_waits(_config(attempts=4), errors.ServerError())) == 3


def test_waits_grow_and_stay_bounded() -> None:
    """Random waits below a bound that doubles, up to the limit."""
    waits = _waits(_config(attempts=12, backoff=1, backoff_limit=5), errors.ServerError())
    assert all(wait <= min(2**tried, 5) for tried, wait in enumerate(waits))
    assert len(set(waits)) > 6


def test_the_servers_wait_is_honoured() -> None:
    """No retry comes earlier than Retry-After says."""
    waits = _waits(_config(attempts=3), errors.ThrottledError(status=429, retry_after=timedelta(seconds=30)))
    assert len(waits) == 2
    assert min(waits) >= 30


def test_a_wait_beyond_the_budget_is_not_taken() -> None:
    """A server that asks for an hour is not waited for: the caller learns of it at once."""
    assert _waits(_config(), errors.ThrottledError(status=429, retry_after=timedelta(hours=1))) == []
