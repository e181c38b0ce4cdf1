"""Customers, their banks and carriers: orders come, are paid or not, and parcels arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaos.stage import MARKETS
from sandbox.orders.model import AWAITING_PAYMENT, LINE_ACCEPTED, LINE_PAID, NEW, PAID, TO_SHIP
from sandbox.remote import ControlError

if TYPE_CHECKING:
    from random import Random

    from sandbox.remote import Sandbox

_STATES = (PAID, PAID, PAID, NEW, NEW, AWAITING_PAYMENT)
_PAID_IN_THE_END = 0.85
_DELIVERED_TODAY = 0.3


class Customers:
    """All of them."""

    def __init__(self, sandbox: Sandbox, rng: Random) -> None:
        self._sandbox, self._rng = sandbox, rng

    def order(self) -> None:
        """Let one customer buy what is online, if anything is: often one unit, now and then two or two lines."""
        rng = self._rng
        wish: dict[str, Any] = {"state": rng.choice(_STATES), "market": rng.choice(MARKETS)}
        if rng.random() < 0.1:
            wish["lines"] = [{}, {}]
        elif rng.random() < 0.1:
            wish["quantity"] = 2
        self._try("POST", "orders", wish)

    def decide_payments(self, *, all_of_them: bool = False) -> None:
        """Pay orders that wait for it, or leave them unpaid: some of them today, or all."""
        for order in self._sandbox.orders():
            if order["state"] in {NEW, AWAITING_PAYMENT} and (all_of_them or self._rng.random() < 0.5):
                step = "pay" if self._rng.random() < _PAID_IN_THE_END else "unpaid"
                self._try("POST", f"orders/{order['order_id']}/advance", {"to": step})

    def receive_parcels(self) -> None:
        """Have some parcels delivered."""
        for order in self._sandbox.orders():
            unsent = any(line["state"] in {LINE_PAID, LINE_ACCEPTED} for line in order["orderlines"])
            if order["state"] == TO_SHIP and not unsent and self._rng.random() < _DELIVERED_TODAY:
                self._try("POST", f"orders/{order['order_id']}/advance", {"to": "confirm"})

    def _try(self, method: str, path: str, body: object) -> None:
        """Ask for something that may have become impossible in between."""
        try:
            self._sandbox.call(method, path, body)
        except ControlError as refusal:
            if "409" not in str(refusal):
                raise
