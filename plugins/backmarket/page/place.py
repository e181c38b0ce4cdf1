"""Whose data a request is about, and where it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from backmarket.warehouse.snapshot import reader, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backmarket.warehouse.snapshot import Reader


class Place(NamedTuple):
    """One account and the database that holds its data.

    :param warehouse_conn_id: the database's connection.
    """

    account: str
    warehouse_conn_id: str

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open a reader.

        :raises DatabaseDownError: as :func:`backmarket.warehouse.snapshot.reader`.
        """
        with reader(self.account, self.warehouse_conn_id) as database:
            yield database

    @contextmanager
    def write(self) -> Iterator[Reader]:
        """Open one transaction that reads and writes.

        :raises DatabaseDownError: as :func:`backmarket.warehouse.snapshot.writer`.
        """
        with writer(self.account, self.warehouse_conn_id) as database:
            yield database
