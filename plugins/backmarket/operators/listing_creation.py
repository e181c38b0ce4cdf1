"""Sends planned listings and products to Back Market in batches; each line once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.rules.catalog import Kind
    from backmarket.warehouse.catalog import Catalog
    from backmarket.warehouse.ledger import RecordedChange

_LOOKS_AT_ONCE = 8


class BackMarketListingCreationOperator(BackMarketOperator):
    """Sends what is planned, the longest waiting first, as far as the hour's budget of SKU lines goes.

    Before that it looks whether Back Market has a listing of the SKU after all: a batch would overwrite it. A batch
    holds lines of one market and, for products, of one category. Its lines are marked as sent before it leaves; how
    they ended is for the task that follows to find out, even where the answer was lost or this task was killed.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    template_fields = (*BackMarketOperator.template_fields, "kind")
    ui_color = "#f8e5c4"

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many lines were sent in how many batches, were listed already, and wait for the next run."""
        from backmarket.operators.batch_sending import BatchSending
        from backmarket.warehouse.catalog import Catalog
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.sku_line_budget import open_sku_line_budget

        counts = {"sent": 0, "batches": 0, "listed_already": 0, "waiting": 0}
        with (
            connect(self.warehouse_conn_id) as connection,
            open_sku_line_budget(self.warehouse_conn_id, self.account) as budget,
            self.hook as client,
        ):
            catalog, ledger = Catalog(connection, self.account), Ledger(connection, self.account, self.kind)
            queue = ledger.planned()
            first = queue[: budget.left()]
            unlisted = self._without_listed(first, client, catalog)
            counts["listed_already"] = len(first) - len(unlisted)
            sending = BatchSending(ledger, client, budget, self.log)
            for batch in _batches(unlisted):
                columns = {change.change_id: change.payload["columns"] for change in batch}
                sent = sending.send(batch[0].payload["market"], batch, columns)
                counts["sent"] += sent
                counts["batches"] += bool(sent)
            counts["waiting"] = len(queue) - counts["listed_already"] - counts["sent"]
            if counts["waiting"]:
                self.log.info("%d lines wait; the next may go at %s.", counts["waiting"], budget.free_at())
        self.log.info("Sent %(sent)d lines in %(batches)d batches; %(listed_already)d were listed already.", counts)
        return counts

    def _without_listed(
        self, changes: list[RecordedChange], client: BackMarketClient, catalog: Catalog
    ) -> list[RecordedChange]:
        """Take out of the queue what Back Market has a listing of, and store those listings."""
        from backmarket.operators.listing_lookup import look_up
        from backmarket.warehouse.listings import store_readings

        read_at = datetime.now(UTC)
        with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="backmarket-lookup") as threads:
            found = list(threads.map(lambda change: look_up(client, change), changes))
        present: list[tuple[str, Listing]] = [
            (change.payload["market"], look.listing)
            for change, look in zip(changes, found, strict=True)
            if look.listing is not None
        ]
        for market, listings in groupby(sorted(present, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            store_readings(
                catalog.connection, self.account, market, [listing for _, listing in listings], read_at=read_at
            )
        listed = [change for change, look in zip(changes, found, strict=True) if look.exists]
        if listed:
            catalog.supersede_listed(change.change_id for change in listed)
            self.log.info("%d SKUs are listed already; their listings stay as they are.", len(listed))
        return [change for change, look in zip(changes, found, strict=True) if not look.exists]


def _batches(changes: Iterable[RecordedChange]) -> Iterator[list[RecordedChange]]:
    """Split the queue into batches of one market and category each, the longest waiting first within each."""
    from backmarket.rules.catalog_csv import MOST_LINES

    groups: dict[tuple[str, str], list[RecordedChange]] = {}
    for change in changes:
        key = change.payload["market"], change.payload["columns"].get("category_id", "")
        groups.setdefault(key, []).append(change)
    for group in groups.values():
        for start in range(0, len(group), MOST_LINES):
            yield group[start : start + MOST_LINES]
