"""Sends planned listings and products to Back Market in batches; each line once."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.operators.batch_sending import BatchSending
    from backmarket.rules.catalog import Kind
    from backmarket.warehouse.catalog import Catalog
    from backmarket.warehouse.ledger import RecordedChange

_MOST_NAMED = 100


class BackMarketListingCreationOperator(BackMarketOperator):
    """Sends what is planned, the longest waiting first, as far as the hour's budget of SKU lines goes.

    Before that it looks whether Back Market has a listing of the SKU after all: a batch would overwrite it. A batch
    holds lines of one market and, for products, of one category. Its lines are marked as sent before it leaves; how
    they ended is for the task that follows to find out, even where the answer was lost or this task was killed. A SKU
    that Back Market cannot look up, and a batch or a market that it refuses, stay planned; all others are sent. Where
    its toggle is off by now, or ``backmarket_dry_run`` is on, the task skips itself.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    """

    template_fields = (*BackMarketOperator.template_fields, "kind")
    ui_color = "#f8e5c4"

    def __init__(self, *, kind: Kind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many lines were sent in how many batches, were listed already, and wait for the next run; and the
        SKUs that could not be sent, as ``not_sent``."""
        from backmarket.operators.batch_sending import BatchSending
        from backmarket.operators.listing_upload import skip_unless_sending
        from backmarket.settings import ListingCreationSettings, ProductCreationSettings
        from backmarket.warehouse.catalog import Catalog
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.sku_line_budget import open_sku_line_budget

        settings = {"listing": ListingCreationSettings, "product": ProductCreationSettings}[self.kind]
        skip_unless_sending(settings.load(), f"{self.kind}_creation")
        counts: dict[str, Any] = {"sent": 0, "batches": 0, "listed_already": 0, "waiting": 0}
        not_sent: list[str] = []
        with (
            connect(self.warehouse_conn_id) as connection,
            open_sku_line_budget(self.warehouse_conn_id, self.account, keep_for_quantities=True) as budget,
            self.hook as client,
        ):
            catalog, ledger = Catalog(connection, self.account), Ledger(connection, self.account, self.kind)
            queue = ledger.planned()
            first = queue[: budget.left()]
            unlisted = self._without_listed(first, client, catalog, not_sent)
            counts["listed_already"] = len(first) - len(unlisted) - len(not_sent)
            sending = BatchSending(ledger, client, budget, self.log)
            for batch in _batches(unlisted):
                sent = self._send(sending, batch, not_sent)
                counts["sent"] += sent
                counts["batches"] += bool(sent)
            not_sent += [change.subject for change in sending.refused]
            counts["waiting"] = len(queue) - counts["listed_already"] - counts["sent"]
            if counts["waiting"]:
                self.log.info("%d lines wait; the next may go at %s.", counts["waiting"], budget.free_at())
        self.log.info("Sent %(sent)d lines in %(batches)d batches; %(listed_already)d were listed already.", counts)
        return {**counts, "not_sent": not_sent[:_MOST_NAMED]}

    def _send(self, sending: BatchSending, batch: list[RecordedChange], not_sent: list[str]) -> int:
        """Send one batch and return how many lines went out.

        :param not_sent: takes the SKUs of a batch that stays planned.
        :raises BackMarketError: where sending others would fail alike.
        """
        from backmarket.api.errors import BackMarketError
        from backmarket.operators.item_failures import raise_what_concerns_all

        columns = {change.change_id: change.payload["columns"] for change in batch}
        market = batch[0].payload["market"]
        try:
            return sending.send(market, batch, columns)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            self.log.warning("A batch of %d lines for %s stays planned: %s", len(batch), market, error)
            not_sent += [change.subject for change in batch]
            return 0

    def _without_listed(
        self, changes: list[RecordedChange], client: BackMarketClient, catalog: Catalog, not_sent: list[str]
    ) -> list[RecordedChange]:
        """Take out of the queue what Back Market has a listing of, and store those listings.

        :param not_sent: takes the SKUs of which Back Market could not say: sending might overwrite a listing.
        """
        from backmarket.operators.listing_lookup import look_up_each
        from backmarket.warehouse.listings import store_readings

        read_at = datetime.now(UTC)
        found = look_up_each(client, changes)
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
        for change, look in zip(changes, found, strict=True):
            if look.failure:
                not_sent.append(change.subject)
                self.log.warning("SKU %s stays planned, as it cannot be looked up: %s", change.subject, look.failure)
        return [change for change, look in zip(changes, found, strict=True) if look.exists is False]


def _batches(changes: Iterable[RecordedChange]) -> Iterator[list[RecordedChange]]:
    """Split the queue into batches of one market and category each, the longest waiting first within each."""
    from backmarket.warehouse.sku_line_budget import MOST_LINES_OF_A_BATCH

    groups: dict[tuple[str, str], list[RecordedChange]] = {}
    for change in changes:
        key = change.payload["market"], change.payload["columns"].get("category_id", "")
        groups.setdefault(key, []).append(change)
    for group in groups.values():
        for start in range(0, len(group), MOST_LINES_OF_A_BATCH):
            yield group[start : start + MOST_LINES_OF_A_BATCH]
