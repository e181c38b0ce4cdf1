"""Reads lists of what comes after the sale: a part that Back Market does not serve stops no other."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, ShortReadError
from backmarket.services.odd_fields import OddFields
from backmarket.warehouse import after_sales, quarantine
from backmarket.warehouse.jsonb import dump
from backmarket.words import minute, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from backmarket.api.models import Unreadable
    from backmarket.api.moving_list import MovingList
    from backmarket.services.log import Log
    from backmarket.warehouse.after_sales import Part
    from backmarket.warehouse.connection import Connection

ASKED_AGAIN_AFTER = timedelta(days=1)
"""A part that Back Market does not serve is asked for again so much later."""

_NOT_SERVED = (ForbiddenError, NotFoundError)


class _Page(Protocol):
    @property
    def server_time(self) -> datetime: ...
    @property
    def unreadable(self) -> list[Unreadable]: ...


P = TypeVar("P", bound=_Page)


def key_of(document: Unreadable) -> str:
    """Return what quarantine calls a document: its id, or where it has none, what is in it."""
    return document.key or f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"


@dataclass
class PartReading:
    """One part as one task reads it.

    :param part: as ``backmarket.after_sales_parts`` names it.
    :param documents: what its documents are, such as ``care folders``.
    :param entity: what quarantine calls one, such as ``care_folder``.
    :param started_at: Back Market's time when its first list began; None before that.
    :param is_complete: whether every list was read whole.
    :param stopped_by: what further reading would have failed with.
    :param counts: how many documents were new, changed, unchanged, quarantined and so on.
    """

    connection: Connection
    account: str
    part: Part
    documents: str
    entity: str
    log: Log
    started_at: datetime | None = None
    is_complete: bool = True
    is_served: bool = True
    stopped_by: BackMarketError | None = None
    counts: Counter[str] = field(default_factory=Counter)
    odd: OddFields = field(default_factory=OddFields)

    def why_it_waits(self, now: datetime) -> str | None:
        """Return why Back Market is not asked now; None where it is."""
        asked_at = after_sales.unavailable_when_asked(self.connection, self.account, self.part)
        if asked_at is None or now >= asked_at + ASKED_AGAIN_AFTER:
            return None
        return (
            f"Back Market does not serve {self.documents} to this account: asked {minute(asked_at)}, and again a day "
            "later. Nothing else depends on them."
        )

    def pages(self, moving: MovingList[P]) -> Iterator[P]:
        """Yield the pages of a list; what keeps it from being read whole is remembered.

        A part that is not served ends without any page, told once.
        """
        from backmarket.api.page_requests import COSTS_ONE_PAGE

        is_first = self.started_at is None
        try:
            with closing(moving.pages()) as pages:
                for page in pages:
                    self.started_at = self.started_at or page.server_time
                    self._set_aside(page.unreadable)
                    yield page
        except _NOT_SERVED as error:
            if not is_first or self.started_at is not None:
                self.stopped_by = error
            else:
                self._note_not_served(error)
        except COSTS_ONE_PAGE as error:
            self.stopped_by = error
        self.is_complete = self.is_complete and moving.is_complete and self.stopped_by is None

    def note(self, outcome: str, odd_fields: Iterable[str], document_id: int) -> None:
        """Count what became of a document."""
        self.counts[outcome] += 1
        self.odd.note(odd_fields, document_id)

    def set_aside(self, key: str, document: Unreadable) -> None:
        """Keep a document that cannot be understood."""
        self.log.warning(
            "%s %s could not be understood and is kept in quarantine: %s",
            self._document.capitalize(),
            key,
            document.reason,
        )
        quarantine.keep(self.connection, self.account, self.entity, {key: document})
        self.counts["quarantined"] += 1

    def finish(self, **more: Any) -> dict[str, Any]:
        """Log what was read, and return the counts.

        :raises BackMarketError: where not all could be read; what was read is stored.
        """
        self.odd.tell(self.log, self._document)
        self.log.info("%s: %s.", self.documents.capitalize(), tally(self.counts, none="none came"))
        if self.stopped_by:
            raise self.stopped_by
        if not self.is_complete:
            raise ShortReadError(method="GET", path=f"the list of {self.documents}")
        return {"new": 0, "changed": 0, "quarantined": 0, **self.counts, **more}

    @property
    def _document(self) -> str:
        return self.entity.replace("_", " ")

    def _set_aside(self, documents: Sequence[Unreadable]) -> None:
        for document in documents:
            self.set_aside(key_of(document), document)

    def _note_not_served(self, error: BackMarketError) -> None:
        self.is_served = False
        is_new = after_sales.mark_unavailable(self.connection, self.account, self.part, str(error))
        (self.log.warning if is_new else self.log.info)(
            "Back Market does not serve %s to this account, so they are off until it does: it is asked again once a "
            "day. %s Nothing else depends on them.",
            self.documents,
            error,
        )
