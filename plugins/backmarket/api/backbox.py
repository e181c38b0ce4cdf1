"""Calls about the BackBox, for which listings of the same product compete: ``/ws/backbox/v1``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backmarket.api.calls import Calls
from backmarket.api.errors import NotFoundError, UnreadableDocumentError
from backmarket.api.models.backbox import Competitors, read_competitors

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

_PATH = "/ws/backbox/v1/competitors"


class BackboxCalls(Calls):
    """Reads where listings stand in the competition for a BackBox, at most twice a second."""

    def get_competitors(self, listing_id: UUID, *, before_each: Callable[[], None] | None = None) -> Competitors:
        """Read where one listing stands, in all markets at once.

        :param before_each: called before each request, also before one that is repeated; what it raises is raised, and
            the request is not made.
        :return: the markets in which it takes part in a BackBox; none where it takes part in none, or is unknown.
        :raises UnreadableDocumentError: carrying the answer, if it is no list.
        """
        path, asked_at = f"{_PATH}/{listing_id}", datetime.now(UTC)
        try:
            answer = self._transport.read(path, kind="backbox", before_each=before_each)
        except NotFoundError:
            return Competitors(listing_id, asked_at)
        if not isinstance(answer.document, list):
            raise UnreadableDocumentError("document: no list", method="GET", path=path, document=answer.document)
        platform = self._transport.config.platform
        return read_competitors(listing_id, answer.document, asked_at=answer.asked_at, platform=platform)
