"""Decides which paid lines are accepted, and accepts them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.acceptance import judge_acceptance, judge_stock, requests
from backmarket.rules.order_facts import SEND
from backmarket.rules.skus import sku_key
from backmarket.services.order_changes import OrderAction, Plan
from backmarket.warehouse import sku_map
from backmarket.warehouse.inventory_prices import lines_by_sku, stock_rows
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.tracking_imei import paid_orders, stock_by_sku

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.acceptance import Request
    from backmarket.rules.inventory import StockRow
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.settings import AcceptanceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange
    from backmarket.warehouse.seller_rows import SellerRows

_ACCEPT = 2
_SAME_REFUSAL_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class Acceptance(OrderAction):
    """Accepts the lines of one SKU of one order."""

    kind = "accept"

    settings: AcceptanceSettings

    def plan(self, connection: Connection, account: str, *, now: datetime) -> Plan:
        """Decide what is accepted; what is not is reported with its ship-by time."""
        queue = requests(paid_orders(connection, account))
        refusals = Ledger(connection, account, self.kind).refusals(since=now - _SAME_REFUSAL_AGAIN)
        changes: list[PlannedChange] = []
        decisions, named, judged = self._decisions(connection, account, queue, now)
        for request, decision in zip(queue, decisions, strict=True):
            status, reason = planned_status(dry_run=self.settings.dry_run), None
            if decision.verdict != "send":
                status, ship_by = "refused", request.order.ship_by
                reason = decision.reason + (f"; ship by {ship_by:%Y-%m-%d %H:%M} UTC" if ship_by else "")
                message = "Order %s, SKU %s is not accepted: %s. A person has to decide."
                self.log.warning(message, request.order.order_id, request.sku, reason)
            for line in request.lines:
                subject = str(line.orderline_id)
                payload = {
                    "order_id": request.order.order_id,
                    "sku": request.sku,
                    "orderline_id": line.orderline_id,
                    "quantity": line.quantity,
                }
                if status != "refused" and refusals.include(subject, payload):
                    self.log.warning("Line %s: Back Market refused it less than an hour ago; later again.", subject)
                else:
                    changes.append(PlannedChange(subject, payload, status=status, reason=reason))
        return Plan(changes, named, judged)

    def _decisions(
        self, connection: Connection, account: str, queue: list[Request], now: datetime
    ) -> tuple[list[Decision], list[SellerRows[Any]], SellerRows[StockRow] | None]:
        """Decide on each request; return besides what was read whole: ``seller.stock`` where a count was lacking."""
        by_order = [judge_acceptance(request.order, request.sku, request.orderline_ids) for request in queue]
        if not self.settings.acceptance_requires_stock:
            return by_order, [], None
        policy = self.settings.stock_policy
        lines = lines_by_sku(connection, account, now=now, hold=timedelta(0), intake_lag=policy.intake_lag)
        skus = {sku_key(request.sku) for request in queue}
        feed, feeding = sku_map.read(connection, account)
        counts = stock_by_sku(connection, account, feeding.skus_around(skus), policy)
        by_stock = judge_stock(queue, counts, lines, policy, now=now, sku_map=feeding)
        decisions = [stock if order == SEND else order for order, stock in zip(by_order, by_stock, strict=True)]
        uncounted = skus.difference(*(feeding.listings_of(sku) for sku in counts))
        return decisions, [feed], stock_rows(connection, account) if uncounted else None

    def group(self, change: RecordedChange) -> Hashable:
        """Put the lines of one SKU of one order together: Back Market accepts them in one call."""
        return change.payload["order_id"], change.payload["sku"]

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge all lines of the call."""
        return judge_acceptance(order, payloads[0]["sku"], [payload["orderline_id"] for payload in payloads])

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> None:
        """Accept them."""
        client.update_order(order.order_id, _ACCEPT, sku=payloads[0]["sku"])
