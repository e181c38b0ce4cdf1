"""The one place where requests leave: headers, timeouts, throttle, retries, and errors by what to do.

Nothing else imports httpx: its last stable release is being forked, so it must be replaceable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from backmarket.api.answers import RawAnswer, read_document
from backmarket.api.bodies import json_body
from backmarket.api.errors import (
    BackMarketError,
    FirewallError,
    MalformedAnswerError,
    NetworkError,
    ThrottledError,
)
from backmarket.api.retry import retrying
from backmarket.api.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from ssl import SSLContext

    from backmarket.api.config import ClientConfig
    from backmarket.api.throttle import Kind, Throttle

Part: TypeAlias = tuple[str, tuple[str | None, bytes, str | None]]
"""A field of a form: its name; a file's name, the content and its media type. Only files have a name and a type."""

_JSON = {"Content-Type": "application/json"}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@cache
def _certificates(*, trust_env: bool) -> SSLContext:
    """Whom to trust, read once a process: that takes longer than a request, and a triggerer opens many clients."""
    return httpx.create_ssl_context(trust_env=trust_env)


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    :param document: its JSON, with Decimal for every number that has a fraction, or its text; None without a body.
    :param server_time: the server's clock when it answered, in UTC.
    :param asked_at: this machine's clock when the request left: what the answer shows is at least as new.
    """

    document: Any
    server_time: datetime
    asked_at: datetime


class Transport:
    """Sends requests to one host, from as many threads as like.

    :param config: the host, the token and how patient to be.
    :param throttle: holds requests back until the rate limits allow them.
    """

    def __init__(self, config: ClientConfig, throttle: Throttle) -> None:
        self.config = config
        self.time = TimeLimit()
        self._throttle = throttle
        self._lock = Lock()
        self._requests_made = 0
        self._was_answered = False
        self._clock_ahead = timedelta(0)
        # A proxy of the environment would see the token of a request that is not encrypted.
        trust_env = config.base_url.startswith("https")
        self._http = httpx.Client(
            base_url=config.base_url,
            headers={
                "Authorization": f"Basic {config.token.get_secret_value()}",
                "Accept": "application/json",
                "User-Agent": config.user_agent,
            },
            timeout=httpx.Timeout(config.read_timeout.total_seconds(), connect=config.connect_timeout.total_seconds()),
            limits=httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency),
            follow_redirects=False,
            verify=_certificates(trust_env=trust_env),
            trust_env=trust_env,
        )

    @property
    def requests_made(self) -> int:
        """How many HTTP requests were tried, repetitions included."""
        return self._requests_made

    @property
    def clock_ahead(self) -> timedelta:
        """How far the server's clock is ahead of this machine's, by the last answer; it tells whole seconds only."""
        return self._clock_ahead

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def read(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        market: str | None = None,
        kind: Kind = "general",
        before_each: Callable[[], None] | None = None,
    ) -> Answer:
        """GET a document; repeated after failures that may pass.

        :param market: the market to answer for, instead of the client's own.
        :param before_each: called before each try; what it raises is raised, and nothing is sent.
        :raises BackMarketError: as :mod:`backmarket.api.errors` names it.
        """
        return self._request("GET", path, params=params, market=market, kind=kind, before_each=before_each)

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        *,
        market: str | None = None,
        kind: Kind = "general",
        amounts_as_numbers: bool = False,
        may_answer_text: bool = False,
    ) -> Answer:
        """Send a change; repeated only where it surely was not applied.

        :param body: JSON in which Decimal stands for amounts: they are sent as strings.
        :param amounts_as_numbers: send them as numbers, with the same digits.
        :param may_answer_text: whether the change has been applied whatever words answer it, JSON or not.
        :raises BackMarketError: as :mod:`backmarket.api.errors` names it; ``surely_not_applied`` tells whether
            the change may have happened all the same.
        """
        content = json_body(body, amounts_as_numbers=amounts_as_numbers)
        return self._request(method, path, content=content, market=market, kind=kind, may_answer_text=may_answer_text)

    def send_form(
        self, path: str, parts: Sequence[Part], *, kind: Kind = "general", may_answer_text: bool = False
    ) -> Answer:
        """POST a change with files, as :meth:`write` sends one without."""
        return self._request("POST", path, parts=parts, market=None, kind=kind, may_answer_text=may_answer_text)

    def _request(
        self,
        method: str,
        path: str,
        *,
        market: str | None,
        kind: Kind,
        params: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        parts: Sequence[Part] | None = None,
        may_answer_text: bool = False,
        before_each: Callable[[], None] | None = None,
    ) -> Answer:
        market = market or self.config.market
        self.config.require_market(market)
        is_write = method != "GET"
        # A form says itself what it is: its parts are told apart by a boundary that only httpx knows.
        headers = {"Accept-Language": market, **({} if parts else _JSON)}
        request = self._http.build_request(method, path, params=params, content=content, files=parts, headers=headers)
        repeat = retrying(self.config, is_write=is_write, was_answered=lambda: self._was_answered)
        return repeat(self._try_once, request, kind, may_answer_text=may_answer_text, before_each=before_each)

    def _try_once(
        self, request: httpx.Request, kind: Kind, *, may_answer_text: bool, before_each: Callable[[], None] | None
    ) -> Answer:
        self.time.check(request.method, request.url.path)
        if before_each:
            # Before the throttle, whose places do not keep.
            before_each()
        try:
            self._throttle.acquire(kind, self.config.retry_for)
        except ThrottledError as error:
            error.method, error.path = request.method, request.url.path
            raise
        with self._lock:
            self._requests_made += 1
        asked_at = datetime.now(UTC)
        answer = self._exchange(request)
        try:
            document = read_document(answer, may_be_text=may_answer_text)
        except (ThrottledError, FirewallError) as error:
            if error.retry_after is None:
                error.retry_after = self.config.throttle_pause
            # A longer wait is the caller's business: it would block every thread of this client.
            if error.retry_after <= self.config.retry_for:
                self._throttle.pause(error.retry_after)
            raise
        self._was_answered = True
        if document is None and request.method == "GET":
            raise answer.error(MalformedAnswerError, "an empty body")
        self._clock_ahead = _between(asked_at, answer.server_time, datetime.now(UTC))
        return Answer(document, answer.server_time, asked_at)

    def _exchange(self, request: httpx.Request) -> RawAnswer:
        """Send one request and receive its whole answer."""
        method, path = request.method, request.url.path
        try:
            response = self._http.send(request)
        except httpx.RequestError as error:
            failure = _network_failure(error, method, path)
        else:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return RawAnswer(method, path, response.status_code, headers, self._without_token(response.content))
        raise failure

    def _without_token(self, body: bytes) -> bytes:
        """Strike out the token should a server repeat it: answers are quoted in errors and stored."""
        return body.replace(self.config.token.get_secret_value().encode(), b"[token]")


def _network_failure(error: httpx.RequestError, method: str, path: str) -> BackMarketError:
    if isinstance(error, httpx.DecodingError):
        return MalformedAnswerError("a body that cannot be decompressed", method=method, path=path)
    # The system's words on a refused connection, a name or a certificate; other texts could hold an address.
    words = f": {error}" if isinstance(error, httpx.ConnectError) else ""
    return NetworkError(
        f"{type(error).__name__}{words}",
        method=method,
        path=path,
        request_was_sent=not isinstance(error, _NEVER_LEFT),
    )


def _between(asked_at: datetime, server_time: datetime, answered_at: datetime) -> timedelta:
    """Return by how much the server's clock must be off; nothing where it may have answered in between."""
    if server_time > answered_at:
        return server_time - answered_at
    return min(timedelta(0), server_time + timedelta(seconds=1) - asked_at)
