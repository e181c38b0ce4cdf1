"""Reads orders, by lists and by id, so that none is missing although they arrive, change and leave meanwhile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError, NotFoundError
from backmarket.services.item_failures import ItemFailures
from backmarket.services.odd_fields import OddFields
from backmarket.warehouse.jsonb import dump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Order, Unreadable
    from backmarket.warehouse.orders import OrderStaging


@dataclass
class OrderReading:
    """What has been read into staging so far, over all lists.

    :param created_to: orders created from here on are counted but not staged; None stages all.
    :param started_at: Back Market's time when the first list began; None before that.
    :param newest_modification: of all orders read.
    :param unreadable: documents that could not be understood, by key.
    :param assumed_local: orders whose times came without an offset and had to be French local time.
    :param failure: what a page failed with, so that its list is not complete; to be raised once the rest is stored.
    """

    client: BackMarketClient
    staging: OrderStaging
    created_to: datetime | None = None
    started_at: datetime | None = None
    newest_modification: datetime | None = None
    seen: set[int] = field(default_factory=set)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    assumed_local: int = 0
    odd: OddFields = field(default_factory=OddFields)
    failure: BackMarketError | None = None

    def read_list(self, **filters: Any) -> bool:
        """Read one list to its end.

        A page that cannot be read costs no other: what it failed with is kept in ``failure``.

        :param filters: as :meth:`BackMarketClient.order_pages` takes them.
        :return: whether every order was read that the list had when reading began, and has still.
        :raises BackMarketError: what other pages would fail with, too, such as a refused token.
        """
        from backmarket.api.page_requests import COSTS_ONE_PAGE

        orders = self.client.moving_orders(**filters)
        try:
            with closing(orders.pages()) as pages:
                for page in pages:
                    self.started_at = self.started_at or page.server_time
                    self._take(page.orders, read_at=page.server_time)
                    for document in page.unreadable:
                        self._set_aside(document)
        except COSTS_ONE_PAGE as error:
            self.failure = self.failure or error
        return orders.is_complete

    def read_one(self, order_id: int) -> None:
        """Read one order by id.

        :raises NotFoundError: where Back Market does not serve it.
        """
        from backmarket.api.errors import UnreadableDocumentError
        from backmarket.api.models import Unreadable

        try:
            order = self.client.get_order(order_id)
        except UnreadableDocumentError as error:
            self._set_aside(Unreadable(error.document, error.detail, str(order_id)))
            return
        self.staging.add_single(order)
        self._note([order])

    def store(self, concern: str, *, watermark: datetime | None = None, succeeded: bool = True) -> dict[str, Any]:
        """Store what was read, and the success, in one transaction.

        :param watermark: up to when everything is stored now; None leaves it where it is.
        :return: the orders new, changed, unchanged and quarantined.
        """
        from backmarket.warehouse import quarantine, sync_state

        connection, account = self.staging.connection, self.staging.account
        with connection.transaction():
            merged = self.staging.merge()
            quarantine.keep(connection, account, "order", self.unreadable)
            counts = {
                "new": merged.new,
                "changed": merged.changed,
                "unchanged": merged.unchanged,
                "quarantined": len(self.unreadable),
            }
            if succeeded:
                sync_state.record_success(connection, account, concern, counts, watermark=watermark)
        return counts

    def tell(self, log: Any, counts: dict[str, Any]) -> None:
        """Write what a person wants to know at the end of the task's log."""
        if self.assumed_local:
            log.warning(
                "%d orders came with times without an offset that lie in Back Market's future as UTC: taken as "
                "French local time.",
                self.assumed_local,
            )
        self.odd.tell(log, "orders")
        for key, document in self.unreadable.items():
            log.warning("Order %s could not be understood and is kept in quarantine: %s", key, document.reason)
        log.info(
            "Orders: %(new)d new, %(changed)d changed, %(unchanged)d unchanged, %(quarantined)d quarantined; "
            "%(requests)d requests in %(seconds).1f s.",
            counts,
        )

    def _take(self, orders: list[Order], *, read_at: datetime) -> None:
        wanted = [order for order in orders if self._is_wanted(order)]
        self.staging.add(wanted, read_at=read_at)
        self._note(wanted)

    def _note(self, orders: list[Order]) -> None:
        new = [order for order in orders if order.order_id not in self.seen]
        self.seen.update(order.order_id for order in new)
        for order in orders:
            self.odd.note(order.all_odd_fields, order.order_id)
            self.unreadable.pop(str(order.order_id), None)
        self.assumed_local += sum(order.times_assumed_local for order in new)
        modified = [order.date_modification for order in orders if order.date_modification]
        self.newest_modification = max([*modified, *filter(None, [self.newest_modification])], default=None)

    def _set_aside(self, document: Unreadable) -> None:
        """Keep a document for the quarantine under its id, or under its content where it has none."""
        key = document.key or f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"
        self.unreadable[key] = document

    def _is_wanted(self, order: Order) -> bool:
        return self.created_to is None or order.date_creation is None or order.date_creation < self.created_to


@dataclass
class ReadById:
    """What became of orders that were read by id.

    :param absent: orders that Back Market does not have.
    :param unread: why Back Market could not serve an order, by its id.
    :param stopped_by: what made going on pointless; store what was read, then raise it.
    """

    absent: list[int] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    stopped_by: BackMarketError | None = None

    def tell(self, log: Any) -> None:
        """Name the orders that could not be read."""
        for order_id, reason in self.unread.items():
            log.warning("Order %s could not be read and is asked for again: %s", order_id, reason)


def read_by_id(reading: OrderReading, order_ids: Iterable[int]) -> ReadById:
    """Read orders into ``reading``; those that fail are named, the others are read."""
    found = ReadById()
    failures = ItemFailures(found.unread)
    try:
        for order_id in failures.each(list(order_ids)):
            try:
                reading.read_one(order_id)
            except NotFoundError:
                found.absent.append(order_id)
            except BackMarketError as error:
                failures.note(str(order_id), error)
                continue
            failures.passed(str(order_id))
    except BackMarketError as error:
        found.stopped_by = error
    return found
