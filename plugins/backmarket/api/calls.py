"""What the groups of calls have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from backmarket.api.errors import UnreadableDocumentError
from backmarket.api.models.document import Document, reason_of

if TYPE_CHECKING:
    from datetime import datetime

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
    raise UnreadableDocumentError(reason, method=method, path=path, document=answer.document)


def as_written(model: type[Model], answer: Answer) -> Model | None:
    """Read the document that a write answers, if it answers one.

    The change has been applied whatever the answer holds, so one that does not fit is no failure.
    """
    try:
        return model.model_validate(answer.document, context=_context(answer))
    except ValidationError:
        return None


def _context(answer: Answer) -> dict[str, datetime]:
    return {"server_time": answer.server_time, "served_at": answer.server_time}
