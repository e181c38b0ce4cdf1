"""Seeded care folders and returns: what customers of seeded orders were not content with. All of it is made up.

Each line is drawn for by itself: no other draw of the sandbox changes with the number of folders.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.after_sales.model import BACK_MARKET, CLOSED, CUSTOMER, MERCHANT, CareFolder, ReturnLabel
from sandbox.after_sales.store import AfterSales
from sandbox.clock import HOUR, read_date
from sandbox.dice import dice
from sandbox.orders.model import LINE_REFUNDED_AFTER, LINE_SHIPPED, PROCESSED, Document

_ISSUES = ("BATTERY_NOT_CHARGING", "SCREEN_BROKEN", "NOT_AS_DESCRIBED", "MISSING_ACCESSORY", "CHANGED_MIND")
_RESOLUTIONS = ("REFUND", "REPAIR", "REPLACE", "REPAIR_REPLACE", "REMOTE_ASSISTANCE")

_COMPLAINTS = (
    "Hello, the battery is empty after two hours. What can I do?",
    "Bonjour, l'écran est rayé.\nJe voudrais un remboursement.",
    "Guten Tag, das Gerät lädt nicht. Bitte um Antwort.",
    'The "charger" is missing; who\'s sending it? 😕',
)
_NOTICES = ("We have passed your request on to the seller.", "The seller has two working days to answer.")
_ANSWERS = ("We are sorry. Please send the device back with the label.", "Could you send us a photo, please?")
_THANKS = ("Thank you, it is on its way.", "Merci !")


@dataclass(frozen=True)
class _Sold:
    """A line that reached its customer, when it was shipped, and when the order last changed."""

    order_id: int
    line_id: int
    line_state: int
    shipped: int
    modified: int


class Troubles:
    """Sees the seeded orders go by and then lets folders and returns happen to some of them."""

    def __init__(self, seed: int, folders: int, now: int) -> None:
        self._seed = seed
        self._folders = folders
        self._now = now
        self._refunded: list[_Sold] = []
        self._delivered: list[_Sold] = []

    def look_at(self, document: Document) -> None:
        """Take notice of one order; they come oldest first."""
        if document["state"] != PROCESSED:
            return
        for line in document["orderlines"]:
            if line["state"] == LINE_REFUNDED_AFTER:
                self._refunded.append(_sold(document, line))
            elif line["state"] == LINE_SHIPPED:
                self._delivered.append(_sold(document, line))
        del self._delivered[: -self._folders or None]

    def happen(self, after_sales: AfterSales) -> None:
        """Fill the store: a return for about half of what was refunded, and the folders."""
        for sold in self._refunded:
            rng = dice(self._seed, sold.line_id)
            if rng.random() < 0.5:
                self._send_back(after_sales, sold)
        of_refunded = self._refunded[-(2 * self._folders // 3) :] if self._folders > 1 else []
        unhappy = [*of_refunded, *self._delivered][: self._folders]
        unhappy.sort(key=lambda sold: sold.order_id)
        for place, sold in enumerate(unhappy):
            self._complain(after_sales, sold, place, old=place < len(unhappy) // 2)

    def _send_back(self, after_sales: AfterSales, sold: _Sold) -> None:
        room = sold.modified - sold.shipped
        parcel = after_sales.add_return(sold.order_id, sold.line_id, sold.shipped + room // 2)
        parcel.picked_up = sold.shipped + room * 6 // 10
        parcel.delivered = sold.shipped + room * 9 // 10
        after_sales.save_return(parcel)

    def _complain(self, after_sales: AfterSales, sold: _Sold, place: int, *, old: bool) -> None:
        rng = dice(self._seed, sold.line_id + 1_000_000_000)
        refunded = sold.line_state == LINE_REFUNDED_AFTER
        begin, end = (sold.shipped, sold.modified) if refunded else (sold.modified, self._now)
        opened = begin + (end - begin) // 3
        step = min(20 * HOUR, max((end - opened) // 6, 1))
        folder = CareFolder(
            after_sales.next_folder_id(old=old),
            sold.order_id,
            sold.line_id,
            opened,
            opened,
            issue=rng.choice(_ISSUES),
            resolution_choice=rng.choice(_RESOLUTIONS),
        )
        if refunded:
            folder.return_labels.append(ReturnLabel(opened, "USED"))
        for number, (initiator, text, informative) in enumerate(_conversation(rng)):
            after_sales.write(folder, initiator, text, opened + number * step, informative=informative)
        if refunded and place % 4 != 3:
            folder.state, folder.closed, folder.modified = CLOSED, sold.modified, sold.modified
        after_sales.save_folder(folder)


def _conversation(rng: Random) -> list[tuple[str, str, bool]]:
    """Draw who says what: the customer begins, the seller and Back Market follow."""
    spoken = [
        (CUSTOMER, rng.choice(_COMPLAINTS), False),
        (BACK_MARKET, rng.choice(_NOTICES), True),
        (MERCHANT, rng.choice(_ANSWERS), False),
        (CUSTOMER, rng.choice(_THANKS), False),
        (BACK_MARKET, "We remind you of your customer's question.", False),
    ]
    return spoken[: rng.randrange(1, len(spoken) + 1)]


def _sold(document: Document, line: dict[str, Any]) -> _Sold:
    shipped, modified = read_date(document["date_shipping"]), read_date(document["date_modification"])
    return _Sold(document["order_id"], line["id"], line["state"], shipped, modified)
