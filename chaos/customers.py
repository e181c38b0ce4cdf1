"""Customers, their banks and carriers: orders come, are paid or not, and parcels arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chaos.stage import MARKETS
from sandbox.after_sales.model import OPEN
from sandbox.orders.model import AWAITING_PAYMENT, LINE_ACCEPTED, LINE_PAID, LINE_SHIPPED, NEW, PAID, TO_SHIP
from sandbox.remote import ControlError

if TYPE_CHECKING:
    from random import Random

    from sandbox.remote import Sandbox

_STATES = (PAID, PAID, PAID, NEW, NEW, AWAITING_PAYMENT)
_PAID_IN_THE_END = 0.85
_DELIVERED_TODAY = 0.3
_ANSWERED_TODAY, _CLOSED_TODAY = 0.4, 0.2


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

    def complain(self, most: int) -> None:
        """Let some customers of shipped orders write, one of them send the device back, others write again."""
        rng = self._rng
        lines = [
            line["id"]
            for order in self._sandbox.orders()
            for line in order["orderlines"]
            if line["state"] == LINE_SHIPPED
        ]
        for line_id in rng.sample(lines, min(most, len(lines))):
            self._sandbox.open_care_folder(line_id, f"Zo\u00eb's phone of line {line_id} is dead \U0001f61f")
        for line_id in rng.sample(lines, min(1, len(lines))):
            self._sandbox.create_return(line_id)
        for parcel in self._sandbox.returns():
            if parcel["delivered"] is None and rng.random() < _DELIVERED_TODAY:
                self._sandbox.move_return(parcel["id"], delivered=datetime.now(UTC))
        for folder in self._sandbox.care_folders():
            if folder["state"] == OPEN and rng.random() < _ANSWERED_TODAY:
                self._sandbox.add_care_message(folder["id"], f"Is nobody there?\nSee folder {folder['id']}.")
            if folder["state"] == OPEN and rng.random() < _CLOSED_TODAY:
                self._sandbox.close_care_folder(folder["id"])

    def _try(self, method: str, path: str, body: object) -> None:
        """Ask for something that may have become impossible in between."""
        try:
            self._sandbox.call(method, path, body)
        except ControlError as refusal:
            if "409" not in str(refusal):
                raise
