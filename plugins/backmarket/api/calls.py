"""What the groups of calls have in common."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from backmarket.api.errors import BackMarketError, UnreadableDocumentError
from backmarket.api.models.document import NESTED_TOO_DEEP, Document, reason_of
from backmarket.api.redaction import repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from backmarket.api.paging import RawPage
    from backmarket.api.transport import Answer, Transport

Model = TypeVar("Model", bound=Document)


class Calls:
    """A group of calls over one transport; the client is made of such groups."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


def as_document(model: type[Model], answer: Answer, method: str, path: str) -> Model:
    """Read the one document of an answer.

    :raises UnreadableDocumentError: carrying the document, if it does not fit its model.
    """
    try:
        return model.model_validate(answer.document, context=_context(answer))
    except ValidationError as error:
        reason = reason_of(error)
    except RecursionError:
        reason = NESTED_TOO_DEEP
    raise UnreadableDocumentError(reason, method=method, path=path, document=answer.document)


def as_written(model: type[Model], answer: Answer) -> Model | None:
    """Read the document that a write answers, if it answers one.

    The change has been applied whatever the answer holds, so one that does not fit is no failure.
    """
    try:
        return model.model_validate(answer.document, context=_context(answer))
    except (ValidationError, RecursionError):
        return None


@contextmanager
def keeping_secret(texts: Iterable[str | None]) -> Iterator[None]:
    """Leave the API's reason out of an error where it repeats what was written to a customer."""
    try:
        yield
    except BackMarketError as error:
        if any(text and repeats(error.api_message or "", text) for text in texts):
            error.api_message = "its reason repeats what was sent"
        raise


def require_aware(moment: datetime) -> datetime:
    """Return a moment in UTC.

    :raises ValueError: for one without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone means something else to everybody: pass an aware datetime")
    return moment.astimezone(UTC)


def as_text(moment: datetime | None, date_format: str) -> str | None:
    """Write a moment in UTC for a filter, down to the last whole unit of the format; None where there is none.

    :raises ValueError: for one without a zone.
    """
    return None if moment is None else require_aware(moment).strftime(date_format)


def newer_by(*names: str) -> Callable[[Any, RawPage], bool]:
    """Return what tells whether a document was surely made after a page was served, whose ``Date`` has whole seconds.

    :param names: of the field with the moment of its making, in each spelling.
    """

    def is_newer(document: Any, page: RawPage) -> bool:
        written = next(filter(None, map(document.get, names)), None) if isinstance(document, dict) else None
        try:
            created = datetime.fromisoformat(str(written))
        except ValueError:
            return False
        # Without a zone it may be local time, an hour or two ahead.
        return created.tzinfo is not None and created >= page.server_time + timedelta(seconds=1)

    return is_newer


def _context(answer: Answer) -> dict[str, datetime]:
    return {"server_time": answer.server_time, "served_at": answer.server_time}
