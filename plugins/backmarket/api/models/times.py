"""Reads Back Market's times: with ``Z``, with an offset, or with neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARIS = ZoneInfo("Europe/Paris")
CLOCK_SKEW = timedelta(minutes=2)
"""How far a time may lie after the answer's ``Date`` and still be taken as already past."""


def _read(value: object) -> datetime:
    """Read a time as it came, with or without a zone.

    A number is none: whether it counts seconds or milliseconds would be a guess.
    """
    if isinstance(value, str):
        return datetime.fromisoformat(value.strip().upper())
    if isinstance(value, datetime):
        return value
    raise ValueError("neither text nor a time")


def _in_utc(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = _read(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    # The first and the last day of all times may have no place in UTC.
    except (ValueError, OverflowError):
        raise PydanticCustomError("datetime_parsing", "not a time") from None


OptionalMoment = Annotated[datetime | None, PlainValidator(_in_utc)]
"""An aware datetime in UTC; without a zone it counts as UTC, which :func:`are_local` has to confirm first."""


def are_local(past_times: Iterable[object], server_time: datetime | None) -> bool:
    """Tell whether a document's times without a zone must be Paris time.

    Back Market does not say which zone they are in. As UTC, local times of the last one or two hours would lie
    in the future of the very answer that reports them, and that gives them away.

    :param past_times: what the document says of things that have happened, as it came.
    :param server_time: the answer's ``Date``; None trusts UTC.
    """
    if server_time is None:
        return False
    latest = server_time + CLOCK_SKEW
    return any(naive is not None and naive.replace(tzinfo=UTC) > latest for naive in map(_naive, past_times))


def from_paris(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Copy a document whose times without a zone are Paris time, so that they say so.

    Of the hour that occurs twice in autumn the first is taken: a lower bound derived from it skips nothing.
    """
    read = {name: _naive(fields.get(name)) for name in names}
    return {**fields, **{name: naive.replace(tzinfo=PARIS) for name, naive in read.items() if naive}}


def _naive(value: object) -> datetime | None:
    """Return a time that has no zone; None for any other value."""
    # The commonest form needs no parsing.
    if not isinstance(value, str) or value.endswith("Z"):
        return None
    try:
        moment = _read(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else None
