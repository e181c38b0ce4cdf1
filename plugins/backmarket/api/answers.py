"""Reads what the seller API answers: JSON, one of four error envelopes, or an HTML page of Cloudflare's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from backmarket.api.errors import (
    AuthenticationError,
    BackMarketError,
    FirewallError,
    ForbiddenError,
    MalformedAnswerError,
    NotFoundError,
    RedirectRefusedError,
    RefusedError,
    ServerError,
    ThrottledError,
)
from backmarket.api.redaction import without_contacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST_MESSAGE = 300
_LONGEST_WAIT_SECONDS = 86_400
_BOT_CHALLENGE = "bot-need-challenge"
# Ids go into logs: nothing but an id may pass for one.
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")
_CF_RAY = re.compile(r"[0-9a-f]{8,32}(-[A-Z]{3})?")


@dataclass(frozen=True)
class RawAnswer:
    """An HTTP answer, free of any HTTP library.

    :param headers: by lower-case name.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @cached_property
    def server_time(self) -> datetime:
        """The server's clock when it answered, in UTC; this machine's where the server does not tell."""
        return _moment(self.headers.get("date")) or datetime.now(UTC)

    def error(self, error_class: type[BackMarketError], detail: str = "", **more: Any) -> BackMarketError:
        """Build an error about this answer."""
        cf_ray = self.headers.get("cf-ray", "")
        return error_class(
            detail,
            method=self.method,
            path=self.path,
            status=self.status,
            request_id=_request_id(_parsed(self.body)),
            cf_ray=cf_ray if _CF_RAY.fullmatch(cf_ray) else None,
            **more,
        )


def read_document(answer: RawAnswer, *, may_be_text: bool = False) -> Any:
    """Return the JSON of a successful answer; None where it has no body.

    Numbers with a fraction become Decimal: no amount of money ever is a binary float.

    :param may_be_text: whether words that are no JSON are a good answer, too.
    :raises BackMarketError: the class that says what to do, for every answer but a well-formed 2xx.
    """
    if not 200 <= answer.status < 300:
        raise failure(answer)
    if not answer.body.strip():
        return None
    try:
        return parse_json(answer.body)
    except ValueError:
        is_html = answer.body.lstrip().startswith(b"<")
        if may_be_text and not is_html:
            return answer.body.decode(errors="replace").strip()
        kind = "an HTML page" if is_html else "incomplete or invalid JSON"
        malformed = answer.error(MalformedAnswerError, f"{kind} of {len(answer.body):,} bytes")
    raise malformed


def parse_json(body: bytes) -> Any:
    """Parse JSON without ever making a float.

    :raises ValueError: if it is not JSON.
    """
    try:
        return _DECODER.decode(body)
    except (ValueError, RecursionError):
        return _parse_leniently(body.decode(errors="replace"))


def _parse_leniently(text: str) -> Any:
    """Parse also what the fast parser refuses: half a character, a number beyond all bounds, NaN and Infinity.

    The last two are no JSON, yet Python takes them; as text they fail only the field they stand in.
    """
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=str)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_float=_decimal, parse_constant=str, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decimal(digits: str) -> Decimal | str:
    """Read a number with a fraction or exponent; as text where its exponent is beyond all bounds."""
    try:
        return Decimal(digits)
    except InvalidOperation:
        return digits


def _integer(digits: str) -> int | str:
    """Read a whole number; as text where it has more digits than Python converts."""
    try:
        return int(digits)
    except ValueError:
        return digits


_DECODER = msgspec.json.Decoder(float_hook=_decimal)


def failure(answer: RawAnswer) -> BackMarketError:
    """Name an unsuccessful answer by what the caller has to do about it."""
    status = answer.status
    if status == 401:
        return answer.error(AuthenticationError)
    if status == 403:
        return answer.error(FirewallError if _is_of_firewall(answer.body) else ForbiddenError)
    if status == 404:
        return answer.error(NotFoundError)
    if status == 429 or (status == 503 and "cf-ray" in answer.headers):
        return answer.error(ThrottledError, retry_after=retry_after(answer))
    # 408: the server gave up waiting for the rest of the request.
    if status >= 500 or status == 408:
        return answer.error(ServerError, retry_after=retry_after(answer))
    if 400 <= status < 500:
        return answer.error(RefusedError, api_message=api_message(answer.body))
    return answer.error(RedirectRefusedError)


def retry_after(answer: RawAnswer) -> timedelta | None:
    """Return how long the server asks to wait, from seconds or a date; None where it does not say.

    A date is compared with the server's own clock. No wait is longer than a day.
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    elif moment := _moment(text):
        seconds = (moment - answer.server_time).total_seconds()
    else:
        return None
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS))


def api_message(body: bytes) -> str | None:
    """Return the API's reason, code first, from any of its envelopes, without e-mail addresses and telephone numbers.

    :return: None for anything but JSON.
    """
    parts = list(dict.fromkeys(_words(_parsed(body))))
    return without_contacts(": ".join(parts))[:_LONGEST_MESSAGE] or None


def _words(document: Any) -> Iterator[str]:
    """Walk the envelopes: ``error``, ``errors[]``, a problem document (RFC 7807), a bare string."""
    if isinstance(document, str):
        yield " ".join(document.split())
    elif isinstance(document, list):
        for each in document:
            yield from _words(each)
    elif isinstance(document, dict):
        for key in ("error", "errors", "code", "message", "title", "detail"):
            yield from _words(document.get(key))


def _is_of_firewall(body: bytes) -> bool:
    document = _parsed(body)
    return document is None or _BOT_CHALLENGE in _words(document)


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        return None


def _request_id(document: Any) -> str | None:
    found = document.get("requestId") if isinstance(document, dict) else None
    return found if isinstance(found, str) and _REQUEST_ID.fullmatch(found) else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        # In UTC, the last hours of the year 9999 may lie in the next one, which Python does not know.
        return None
