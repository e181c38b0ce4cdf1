"""Reads a list of orders until nothing can be missing, although orders arrive and change while it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from backmarket.operators.odd_fields import OddFields
from backmarket.warehouse.jsonb import dump

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Order, Unreadable
    from backmarket.warehouse.orders import OrderStaging

MOST_PASSES = 3
_DATE_HEADER_RESOLUTION = timedelta(seconds=1)


@dataclass
class OrderReading:
    """What has been read into staging so far, over all lists and passes.

    :param created_to: orders created from here on are counted but not staged; None stages all.
    :param started_at: Back Market's time when the first list began; None before that.
    :param newest_modification: of all orders read.
    :param unreadable: documents that could not be understood, by key.
    :param assumed_local: orders whose times came without an offset and had to be French local time.
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

    def read_list(self, **filters: Any) -> bool:
        """Read one list to its end, again where orders moved between pages meanwhile.

        :param filters: as :meth:`BackMarketClient.order_pages` takes them.
        :return: whether every order that the list had when a pass began was seen.
        """
        return any(self._read_pass(filters) for _ in range(MOST_PASSES))

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
        self._take([order], read_at=datetime.now(UTC))

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

    def _read_pass(self, filters: dict[str, Any]) -> bool:
        """Page through the list once.

        Pages shift while orders arrive, so a pass is complete when as many of the orders that existed at its
        beginning were seen as the first page counted; those that arrived later belong to the next run.
        """
        at_start: tuple[int, datetime] | None = None
        members: set[int | str] = set()
        for page in self.client.order_pages(**filters):
            if at_start is None:
                at_start = page.count, page.server_time + _DATE_HEADER_RESOLUTION
                self.started_at = self.started_at or page.server_time
            self._take(page.orders, read_at=page.server_time)
            members.update(order.order_id for order in page.orders if _existed(order, at_start[1]))
            members.update(map(self._set_aside, page.unreadable))
        return at_start is None or len(members) >= at_start[0]

    def _take(self, orders: list[Order], *, read_at: datetime) -> None:
        wanted = [order for order in orders if self._is_wanted(order)]
        self.staging.add(wanted, read_at=read_at)
        for order in wanted:
            self.odd.note(order.all_odd_fields, order.order_id)
        self.seen.update(order.order_id for order in wanted)
        self.assumed_local += sum(order.times_assumed_local for order in wanted)
        modified = [order.date_modification for order in wanted if order.date_modification]
        self.newest_modification = max([*modified, *filter(None, [self.newest_modification])], default=None)

    def _set_aside(self, document: Unreadable) -> str:
        """Keep a document for the quarantine under its id, or under its content where it has none."""
        key = document.key or f"sha256:{sha256(dump(document.document).encode()).hexdigest()}"
        self.unreadable[key] = document
        return key

    def _is_wanted(self, order: Order) -> bool:
        return self.created_to is None or order.date_creation is None or order.date_creation < self.created_to


def _existed(order: Order, moment: datetime) -> bool:
    return order.date_creation is None or order.date_creation < moment
