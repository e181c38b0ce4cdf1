"""Stores orders, and remembers which ones Back Market did not have."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.rules.order_askings import Asked
from backmarket.warehouse import announcements, sql
from backmarket.warehouse.copy_text import as_copy_text
from backmarket.warehouse.jsonb import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backmarket.api.models import Order
    from backmarket.api.models.plain_order import AnyOrder
    from backmarket.warehouse.connection import Connection


# The columns of the copy_*.sql files, in their order, under the names the models give them.
_values_before_shipper = attrgetter(
    *"order_id state country_code currency price shipping_price sales_taxes payment_method tracking_number"
    " tracking_url".split()
)

_values_after_shipper = attrgetter(
    *"is_backship delivery_note date_creation date_modification date_payment date_shipping"
    " expected_dispatch_date".split()
)

_line_values = attrgetter(
    *"orderline_id sku listing_id quantity price shipping_price currency state orderline_fee sales_taxes return_reason"
    " return_message imei serial_number product product_id brand condition backcare backcare_price_cents"
    " date_creation".split()
)

_address_values = attrgetter(
    *"first_name last_name first_name_pronunciation last_name_pronunciation company street street2 postal_code city"
    " state country phone email customer_id_number".split()
)

# How many pages are copied at once: page by page, round trips would cost more than the copying itself.
_COPY_PAGES = 10


class UnstorableValueError(Exception):
    """PostgreSQL refused a value; the message does not repeat it."""


class MergeCounts(NamedTuple):
    """How many orders were new, changed and unchanged in a merge."""

    new: int
    changed: int
    unchanged: int


class _Texts(NamedTuple):
    """What waits to be copied of some orders, by table, as text: the orders themselves would take thrice the memory."""

    orders: str
    order_lines: str
    order_addresses: str


@dataclass
class OrderStaging:
    """Temporary tables on one connection that collect orders until :meth:`merge` stores them.

    Nothing is visible to others, and nothing is left behind, until then.
    """

    connection: Connection
    account: str
    _read_numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _waiting: list[_Texts] = field(default_factory=list)

    def __post_init__(self) -> None:
        for table in _Texts._fields:
            self.connection.execute(sql.statement(f"orders/stage_{table}"))

    def add(self, orders: Iterable[AnyOrder], *, read_at: datetime) -> None:
        """Stage orders as they were read; of several readings of one order the newest will be stored.

        :param read_at: Back Market's own time of the reading.
        """
        numbered = list(zip(orders, self._read_numbers, strict=False))
        texts = _Texts(
            as_copy_text((no, read_at, *_order_row(order)) for order, no in numbered),
            as_copy_text((no, *row) for order, no in numbered for row in _line_rows(order)),
            as_copy_text((no, *row) for order, no in numbered for row in _address_rows(order)),
        )
        self._waiting.append(texts)
        if len(self._waiting) >= _COPY_PAGES:
            self._copy_waiting()

    def add_single(self, order: Order) -> None:
        """Stage an order that was read by id, maybe right after it was changed.

        Back Market tells whole seconds. A page of the same second may have been served before the change, so the
        single reading counts as made at the end of that second, and wins.
        """
        read_at = order.served_at or datetime.now(UTC)
        self.add([order], read_at=read_at.replace(microsecond=999_999))

    def not_staged(self, order_ids: list[int]) -> list[int]:
        """Return those of some orders that have not been staged, in their order."""
        self._copy_waiting()
        parameters = {"order_ids": order_ids}
        rows = self.connection.execute(sql.statement("orders/select_not_staged"), parameters).fetchall()
        return [order_id for (order_id,) in rows]

    def merge(self) -> MergeCounts:
        """Store what was staged; to be called in the transaction that also moves the watermark."""
        self._copy_waiting()
        parameters = {"account": self.account}
        lock_merges(self.connection, self.account)
        self.connection.execute(sql.statement("quarantine/release_orders"), parameters)
        row = self.connection.execute(sql.statement("orders/merge_orders"), parameters).fetchone()
        merged = MergeCounts(*row or ())
        announcements.note(self.connection, self.account, "orders", {"new": merged.new, "changed": merged.changed})
        return merged

    def clear(self) -> None:
        """Forget what was staged, so that the next merge stores only what is added from now on."""
        self._waiting = []
        self.connection.execute(sql.statement("orders/clear_staging"))

    def _copy_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        with self.connection.transaction():
            for table, texts in zip(_Texts._fields, zip(*waiting, strict=True), strict=False):
                self._copy(table, texts)

    def _copy(self, table: str, texts: Iterable[str]) -> None:
        with (
            hiding_values(f"staged_{table}"),
            self.connection.cursor() as cursor,
            cursor.copy(sql.statement(f"orders/copy_{table}")) as copy,
        ):
            copy.write("".join(texts))


def lock_merges(connection: Connection, account: str) -> None:
    """Wait until no other transaction merges orders; holds to the end of this one.

    Merges of one account take turns: two that meet in the same orders would block each other.
    """
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"orders/{account}"])


@contextmanager
def hiding_values(table: str) -> Iterator[None]:
    """Keep the values that PostgreSQL quotes in its complaints out of logs: they may be personal.

    :raises UnstorableValueError: in place of a complaint about a value.
    """
    import psycopg

    try:
        yield
    except psycopg.DataError as error:
        raise UnstorableValueError(
            f"PostgreSQL refused a value for {table} (SQLSTATE {error.sqlstate}); nothing of this read was stored. "
            "Report it to the maintainers: such a value should have been set aside on reading."
        ) from None


def open_order_ids(connection: Connection, account: str) -> list[int]:
    """Return the orders that are open here (states 10, 1 and 3), oldest first."""
    rows = connection.execute(sql.statement("orders/select_open_orders"), {"account": account}).fetchall()
    return [order_id for (order_id,) in rows]


def mark_gone(connection: Connection, account: str, order_ids: list[int]) -> None:
    """Record that Back Market no longer serves these orders, so that they no longer count as open."""
    with connection.transaction():
        marked = connection.execute(sql.statement("orders/mark_gone"), {"account": account, "order_ids": order_ids})
        announcements.note(connection, account, "orders", {"gone": marked.rowcount})


class PurgeCounts(NamedTuple):
    """How much personal data was deleted."""

    addresses: int
    care_messages: int
    quarantined_documents: int


def purge_personal_data(connection: Connection, account: str, *, days: int) -> PurgeCounts:
    """Delete addresses of closed orders, messages of closed care folders, and quarantined documents, that are older
    than so many days.
    """
    parameters = {"account": account, "days": days}
    with connection.transaction():
        addresses = connection.execute(sql.statement("orders/purge_addresses"), parameters).rowcount
        messages = connection.execute(sql.statement("after_sales/purge_messages"), parameters).rowcount
        documents = connection.execute(sql.statement("quarantine/purge_quarantine"), parameters).rowcount
    return PurgeCounts(addresses, messages, documents)


def _order_row(order: AnyOrder) -> tuple[Any, ...]:
    # The spec has shipper_display alone; production has shipper, too.
    shipper = order.shipper or order.shipper_display
    return (*_values_before_shipper(order), shipper, *_values_after_shipper(order), dump(order.document))


def _line_rows(order: AnyOrder) -> Iterator[tuple[Any, ...]]:
    for line in order.orderlines:
        yield order.order_id, *_line_values(line)


def _address_rows(order: AnyOrder) -> Iterator[tuple[Any, ...]]:
    for kind, address in (("shipping", order.shipping_address), ("billing", order.billing_address)):
        if address is not None:
            values = _address_values(address)
            if any(value is not None for value in values):
                yield order.order_id, kind, *values


def asked_orders(connection: Connection, account: str) -> dict[int, Asked]:
    """Return the orders that Back Market did not have when it was asked for them, by id."""
    rows = connection.execute(sql.statement("orders/select_asked_in_vain"), {"account": account})
    return {row[0]: Asked(*row) for row in rows}


def note_absent(connection: Connection, account: str, order_ids: Iterable[int]) -> None:
    """Record that Back Market was asked for these orders now and has none of them."""
    parameters = {"account": account, "order_ids": list(order_ids)}
    connection.execute(sql.statement("orders/upsert_asked_in_vain"), parameters)


def forget_found(connection: Connection, account: str, *, named: Iterable[int]) -> None:
    """Forget that Back Market did not have the orders that have turned up since, or that no table names any more.

    :param named: orders that the seller's tables name and of which too little is known here.
    """
    parameters = {"account": account, "named": list(named)}
    connection.execute(sql.statement("orders/delete_found_again"), parameters)
