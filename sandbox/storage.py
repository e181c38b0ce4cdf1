"""The state file: every changed document is written through, so that a restart goes on where it stopped."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.catalog.batches import Batch
from sandbox.listings.model import Listing
from sandbox.orders.model import Document
from sandbox.orders.store import OrderRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body BLOB, raw BLOB, PRIMARY KEY (kind, key));
"""


class Storage:
    """An SQLite file, or nothing at all when no path is given."""

    def __init__(self, path: Path | None) -> None:
        self._connection: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    @property
    def is_new(self) -> bool:
        """True when nothing has been kept so far."""
        if self._connection is None:
            return True
        return self._connection.execute("SELECT 1 FROM documents LIMIT 1").fetchone() is None

    def keep(self, kind: str, key: object, body: object) -> None:
        """Write one document through."""
        self._put(kind, key, json.dumps(body).encode(), None)

    def keep_order(self, record: OrderRecord) -> None:
        """Write one order through."""
        self._put("order", record.order_id, record.body, record.raw)

    def keep_listing(self, listing: Listing) -> None:
        """Write one listing through."""
        if self._connection is not None:
            self.keep("listing", listing.listing_id, listing.as_document())

    def keep_batch(self, batch: Batch) -> None:
        """Write one catalog batch through."""
        self.keep("batch", batch.task_id, asdict(batch))

    def _put(self, kind: str, key: object, body: bytes, raw: bytes | None) -> None:
        if self._connection is not None:
            row = (kind, str(key), body, raw)
            self._connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", row)

    def orders(self) -> Iterator[tuple[Document, bytes | None]]:
        """Give all orders that were kept, with their raw answers."""
        for body, raw in self._rows("order"):
            yield json.loads(body.decode("utf-8", "surrogatepass")), raw

    def documents(self, kind: str) -> Iterator[dict[str, Any]]:
        """Give all documents of one kind, in the order of their (numeric) keys."""
        for body, _ in self._rows(kind):
            yield json.loads(body)

    def _rows(self, kind: str) -> Iterator[tuple[bytes, bytes | None]]:
        if self._connection is not None:
            yield from self._connection.execute(
                "SELECT body, raw FROM documents WHERE kind = ? ORDER BY CAST(key AS INTEGER)", (kind,)
            )

    def begin(self) -> None:
        """Start writing many documents at once."""
        if self._connection is not None:
            self._connection.execute("BEGIN")

    def commit(self) -> None:
        """Finish writing many documents at once."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything."""
        if self._connection is not None:
            self._connection.execute("DELETE FROM documents")

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
