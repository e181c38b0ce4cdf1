"""All orders, each kept as the JSON bytes that are served, with what the filters need beside them.

Documents are parsed again only when something changes one: pages of a hundred thousand orders are then no more
than a join of bytes, and the whole takes a fraction of the memory that parsed documents would.
"""

import json
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.clock import read_date
from sandbox.orders.model import HIDDEN_STATES, LINES_PER_ORDER, Document

_ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_CACHED_SELECTIONS = 64
_SMALL_SHARE = 10


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """The list's filters; the moments are inclusive lower bounds in microseconds."""

    created_from: int | None = None
    modified_from: int | None = None
    country_code: str | None = None
    state: int | None = None


@dataclass(slots=True)
class OrderRecord:
    """One order: the bytes to serve and what it is found by. `raw` is served in place of the document."""

    order_id: int
    created: int
    modified: int
    state: int
    country_code: str
    body: bytes
    raw: bytes | None = None

    def matches(self, wanted: OrderFilter) -> bool:
        """Tell whether the list shows this order under a filter."""
        return (
            self.state not in HIDDEN_STATES
            and (wanted.modified_from is None or self.modified >= wanted.modified_from)
            and (wanted.created_from is None or self.created >= wanted.created_from)
            and (wanted.state is None or self.state == wanted.state)
            and (wanted.country_code is None or self.country_code == wanted.country_code)
        )


class OrderStore:
    """Finds orders by id, by line and by filter; `on_change` hears of every saved record."""

    def __init__(self, on_change: Callable[[OrderRecord], None]) -> None:
        self._records: dict[int, OrderRecord] = {}
        self._by_creation: list[tuple[int, int]] = []
        self._by_modification: list[tuple[int, int]] = []
        self._selections: dict[OrderFilter, list[OrderRecord]] = {}
        self._last_id = 50_000_000
        self._on_change = on_change

    def __iter__(self) -> Iterator[OrderRecord]:
        return (self._records[order_id] for _, order_id in self._by_creation)

    def __len__(self) -> int:
        return len(self._records)

    def load(self, document: Document, raw: bytes | None = None) -> OrderRecord:
        """Take a document in that needs no saving; it replaces the order of the same id."""
        order_id = int(document["order_id"])
        old = self._records.get(order_id)
        record = OrderRecord(
            order_id=order_id,
            created=moment_of(document.get("date_creation"), old.created if old else 0),
            modified=moment_of(document.get("date_modification"), old.modified if old else 0),
            state=int(document["state"]),
            country_code=str(document["country_code"]),
            body=_ENCODE(document).encode("utf-8", "surrogatepass"),
            raw=raw,
        )
        self._records[order_id] = record
        self._last_id = max(self._last_id, order_id)
        _reindex(self._by_creation, order_id, old.created if old else None, record.created)
        _reindex(self._by_modification, order_id, old.modified if old else None, record.modified)
        self._selections.clear()
        return record

    def save(self, document: Document, raw: bytes | None = None) -> None:
        """Take in a new or changed document."""
        self._on_change(self.load(document, raw))

    def record(self, order_id: int) -> OrderRecord | None:
        """Find an order's record."""
        return self._records.get(order_id)

    def document(self, order_id: int) -> Document | None:
        """Parse an order's document, free to be changed and saved."""
        record = self._records.get(order_id)
        return None if record is None else parse(record)

    def line(self, line_id: int) -> tuple[Document, dict[str, Any]] | tuple[None, None]:
        """Parse the order that holds a line, and give both."""
        document = self.document(line_id // LINES_PER_ORDER)
        line = None if document is None else next((x for x in document["orderlines"] if x["id"] == line_id), None)
        return (None, None) if document is None or line is None else (document, line)

    def next_id(self) -> int:
        """Give the id of the next new order."""
        return self._last_id + 1

    def select(self, wanted: OrderFilter) -> list[OrderRecord]:
        """List what a filter shows, newest created first. Repeated until something changes, it costs nothing."""
        found = self._selections.get(wanted)
        if found is None:
            found = [record for record in self._candidates(wanted) if record.matches(wanted)]
            if len(self._selections) >= _CACHED_SELECTIONS:
                self._selections.clear()
            self._selections[wanted] = found
        return found

    def _candidates(self, wanted: OrderFilter) -> Iterator[OrderRecord]:
        """Give the orders that may match, newest created first.

        Most reads ask for the few latest changes of a long history: those come from the index of modifications.
        """
        if wanted.modified_from is not None:
            changed = self._by_modification[bisect_left(self._by_modification, (wanted.modified_from, 0)) :]
            if len(changed) < len(self._records) / _SMALL_SHARE:
                few = [self._records[order_id] for _, order_id in changed]
                return iter(sorted(few, key=lambda record: (record.created, record.order_id), reverse=True))
        start = 0 if wanted.created_from is None else bisect_left(self._by_creation, (wanted.created_from, 0))
        index = self._by_creation
        return (self._records[index[place][1]] for place in range(len(index) - 1, start - 1, -1))


def _reindex(index: list[tuple[int, int]], order_id: int, old: int | None, new: int) -> None:
    if old == new:
        return
    if old is not None:
        del index[bisect_left(index, (old, order_id))]
    insort(index, (new, order_id))


def parse(record: OrderRecord) -> Document:
    """Give a record's document."""
    document: Document = json.loads(record.body.decode("utf-8", "surrogatepass"))
    return document


def moment_of(text: object, otherwise: int) -> int:
    """Read a date of a document; one that is absent or deliberately broken gives `otherwise`."""
    if not isinstance(text, str):
        return otherwise
    try:
        return read_date(text)
    except ValueError:
        return otherwise
