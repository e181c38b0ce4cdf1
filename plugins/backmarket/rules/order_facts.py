"""What the rules about accepting, shipping and identifying know of an order, and what they may answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read at run time by the dataclasses
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

# States of a line (source: spec): 0 new, 8 payment pending, 9 on hold, 1 paid, 2 accepted, 3 shipped, 4 cancelled,
# 5 refunded before and 6 after shipping, 7 not paid.
PAID = 1
ACCEPTED = 2
SHIPPED = 3
NOT_PAYABLE_YET = frozenset({0, 8, 9})
NOT_ACCEPTED_YET = NOT_PAYABLE_YET | {PAID}
ACCEPTED_OR_LATER = frozenset({2, 3, 5, 6})
_KNOWN_STATES = NOT_ACCEPTED_YET | ACCEPTED_OR_LATER | {4, 7}


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line of an order.

    :param sku: Back Market's ``listing``, to the letter.
    :param product: its title.
    """

    orderline_id: int
    state: int
    quantity: int
    sku: str | None = None
    imei: str | None = None
    serial_number: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order as it was last read.

    :param is_backship: whether Back Market ships it itself; None where what Back Market says cannot be read.
    :param paid_at: when it was paid; None where Back Market does not say.
    :param ship_by: Back Market's ``expected_dispatch_date``; None once it is shipped.
    """

    order_id: int
    lines: tuple[LineFacts, ...]
    is_backship: bool | None = False
    tracking_number: str | None = None
    paid_at: datetime | None = None
    ship_by: datetime | None = None

    @property
    def is_single_unit(self) -> bool:
        """Whether it has one line of quantity 1: only then may an identifier travel with the shipment (spec)."""
        return len(self.lines) == 1 and self.lines[0].quantity == 1

    def line(self, orderline_id: int) -> LineFacts | None:
        """Return a line by its id."""
        return next((line for line in self.lines if line.orderline_id == orderline_id), None)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a change.

    :param verdict: ``send`` it; ``done``: Back Market shows it already; ``wait`` and ``refuse``: not now, or not like
        this.
    :param reason: for a person: why it waits or is refused.
    """

    verdict: Literal["send", "done", "wait", "refuse"]
    reason: str = ""


SEND = Decision("send")
DONE = Decision("done")


def wait_for_unknown_states(lines: Iterable[LineFacts]) -> Decision | None:
    """Wait where a line is in a state that this version does not know, and name it; None where none is.

    What such a line may take, nobody can say: it is neither open nor over.
    """
    unknown = sorted({line.state for line in lines} - _KNOWN_STATES)
    if not unknown:
        return None
    states = f"state{'s' if len(unknown) > 1 else ''} {', '.join(map(str, unknown))}"
    return wait(f"a line is in {states}, which this version does not know: look at the order in the Back Office")


def wait(reason: str) -> Decision:
    """Not now: it is looked at again in each run."""
    return Decision("wait", f"waits: {reason}")


def refuse(reason: str) -> Decision:
    """Not like this: a person has to change something."""
    return Decision("refuse", reason)
