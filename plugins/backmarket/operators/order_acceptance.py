"""Accepts paid order lines whose units the seller has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.operators.order_changes import BackMarketOrderChangesOperator, Plan
from backmarket.rules.acceptance import judge_acceptance, judge_stock, requests
from backmarket.rules.order_facts import SEND
from backmarket.rules.skus import sku_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.acceptance import Request
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.settings import AcceptanceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedChange, RecordedChange

ACCEPT = 2
SAME_REFUSAL_AGAIN = timedelta(hours=1)


class BackMarketOrderAcceptanceOperator(BackMarketOrderChangesOperator["AcceptanceSettings"]):
    """Moves paid lines to state 2, one request per order and SKU, oldest payment first.

    A line that the stock does not cover is neither accepted nor cancelled: it is reported with its ship-by time.

    :raises ChangesWaitingError: where some lines could not be accepted now; the others are.
    """

    kind = "accept"

    def load_settings(self) -> AcceptanceSettings:
        """Read the concern's Variables."""
        from backmarket.settings import AcceptanceSettings

        return AcceptanceSettings.load()

    def action(self, settings: AcceptanceSettings) -> Acceptance:
        """Return what is done to an order."""
        return Acceptance()

    def plan_changes(self, connection: Connection, settings: AcceptanceSettings) -> Plan:
        """Decide what is to be accepted, and what is not, reported with its ship-by time."""
        from backmarket.operators.order_writing import refused_already
        from backmarket.warehouse.inventory import refused_lately
        from backmarket.warehouse.ledger import PlannedChange
        from backmarket.warehouse.orders_out import paid_orders

        now = datetime.now(UTC)
        queue = requests(paid_orders(connection, self.account))
        refused = refused_lately(connection, self.account, "accept", since=now - SAME_REFUSAL_AGAIN)
        changes: list[PlannedChange] = []
        for request, decision in zip(queue, self._decisions(connection, settings, queue, now), strict=True):
            if decision.verdict != "send":
                self._report(request, decision)
            for subject, payload in _payloads(request):
                if decision.verdict != "send":
                    reason = f"{decision.reason}{_ship_by(request)}"
                    changes.append(PlannedChange(subject, payload, status="refused", reason=reason))
                elif refused_already(refused, subject, payload):
                    self.log.warning("Line %s: Back Market refused it less than an hour ago; later again.", subject)
                else:
                    changes.append(PlannedChange(subject, payload, status="dry_run" if settings.dry_run else "planned"))
        return Plan(changes)

    def _decisions(
        self, connection: Connection, settings: AcceptanceSettings, queue: list[Request], now: datetime
    ) -> list[Decision]:
        from backmarket.warehouse.inventory import lines_by_sku
        from backmarket.warehouse.orders_out import stock_by_sku

        by_order = [judge_acceptance(request.order, request.sku, request.orderline_ids) for request in queue]
        if not settings.acceptance_requires_stock:
            return by_order
        policy = settings.stock_policy
        lines = lines_by_sku(connection, self.account, now=now, hold=timedelta(0), intake_lag=policy.intake_lag)
        stock = stock_by_sku(connection, self.account, {sku_key(request.sku) for request in queue})
        by_stock = judge_stock(queue, stock, lines, policy, now=now)
        return [stock if order == SEND else order for order, stock in zip(by_order, by_stock, strict=True)]

    def _report(self, request: Request, decision: Decision) -> None:
        self.log.warning(
            "Order %d, SKU %s is not accepted: %s%s. A person has to decide.",
            request.order.order_id,
            request.sku,
            decision.reason,
            _ship_by(request),
        )


class Acceptance:
    """Accepts the lines of one SKU of one order."""

    unshown_is_final = False

    def group(self, change: RecordedChange) -> Hashable:
        """Put the lines of one SKU of one order together: Back Market accepts them in one call."""
        return change.payload["order_id"], change.payload["sku"]

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge all lines of the call."""
        return judge_acceptance(order, payloads[0]["sku"], [payload["orderline_id"] for payload in payloads])

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> None:
        """Accept them."""
        client.update_order(order.order_id, ACCEPT, sku=payloads[0]["sku"])


def _payloads(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in request.lines:
        payload = {
            "order_id": request.order.order_id,
            "sku": request.sku,
            "orderline_id": line.orderline_id,
            "quantity": line.quantity,
        }
        yield str(line.orderline_id), payload


def _ship_by(request: Request) -> str:
    moment = request.order.ship_by
    return f"; ship by {moment:%Y-%m-%d %H:%M} UTC" if moment else ""
