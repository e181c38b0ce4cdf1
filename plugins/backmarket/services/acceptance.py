"""Decides which paid lines are accepted, and accepts them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.acceptance import judge_acceptance

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.acceptance import Request
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.warehouse.ledger import RecordedChange


ACCEPT = 2

SAME_REFUSAL_AGAIN = timedelta(hours=1)


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
