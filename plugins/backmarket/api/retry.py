"""Decides which failed requests are sent again, and how long to wait before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from backmarket.api.errors import (
    BackMarketError,
    FirewallError,
    MalformedAnswerError,
    NetworkError,
    ServerError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from backmarket.api.config import ClientConfig


def may_be_repeated(error: BaseException, *, is_write: bool) -> bool:
    """Tell whether sending the same request again is safe and may help.

    A read is repeated after whatever passes by itself. A write only where, besides, it surely was not applied:
    the API knows no idempotency key, so a repeated write may act twice.
    """
    if not isinstance(error, (ThrottledError, ServerError, MalformedAnswerError, NetworkError)):
        return False
    return error.surely_not_applied or not is_write


FIREWALL_REPEATS = 2
"""How often a request is sent again that the firewall refused among good answers (seen at up to 1 % of requests)."""


def retrying(config: ClientConfig, *, is_write: bool, was_answered: Callable[[], bool]) -> Retrying:
    """Build the loop around one request: bounded in tries and in time, and as patient as the server asks.

    A refusal by the firewall never reaches Back Market. Where this client was answered before, it is a mood of the
    firewall's, and the request may go again; at the first request, and when it stays, a person has to act.

    :param was_answered: tells whether the client has had a good answer.
    """
    refusals = 0

    def may_go_again(error: BaseException) -> bool:
        nonlocal refusals
        if isinstance(error, FirewallError):
            refusals += 1
            return refusals <= FIREWALL_REPEATS and was_answered()
        return may_be_repeated(error, is_write=is_write)

    backoff = wait_random_exponential(multiplier=config.backoff.total_seconds(), max=config.backoff_limit)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.retry_after if isinstance(error, BackMarketError) else None
        return max(backoff(state), asked_for.total_seconds() if asked_for else 0.0)

    return Retrying(
        retry=retry_if_exception(may_go_again),
        stop=stop_after_attempt(config.attempts) | stop_before_delay(config.retry_for),
        wait=wait,
        reraise=True,
    )
