"""Decides when Back Market is asked again for an order that it did not have, and what to say of such an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from backmarket.rules.order_facts import Decision, refuse

# A new order may be served a little late; a mistyped number never is.
PAUSES = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
"""How long to wait after the first, second, … asking; after the last one Back Market is asked no more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An order that Back Market did not have.

    :param attempts: how often it was asked.
    :param first_at: when it was asked first.
    :param last_at: when it was asked last.
    """

    order_id: int
    attempts: int
    first_at: datetime
    last_at: datetime

    @property
    def is_given_up(self) -> bool:
        """Whether it was asked for often enough."""
        return self.attempts > len(PAUSES)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it is time to ask again."""
        return not self.is_given_up and now >= self.last_at + PAUSES[self.attempts - 1]

    def __str__(self) -> str:
        """Say for a person what was done and what to do."""
        return (
            f"Back Market has no such order: asked {self.attempts} times between {self.first_at:%Y-%m-%d %H:%M} and "
            f"{self.last_at:%Y-%m-%d %H:%M} UTC. Correct the order id, or remove the row"
        )


def choose_orders_to_ask(wanted: list[int], asked: dict[int, Asked], *, now: datetime, most: int) -> list[int]:
    """Choose the orders to read now: first those never asked for, the highest id first, then those that are due.

    :param wanted: orders of which too little is known, each once.
    :param asked: those among them, and others, that Back Market did not have.
    """
    new = sorted((each for each in wanted if each not in asked), reverse=True)
    due = sorted((each for each in wanted if each in asked and asked[each].is_due(now)), key=lambda i: asked[i].last_at)
    return [*new, *due][:most]


def refuse_unknown_order(order_id: int, order_of_line: int | None, asked: Asked | None) -> Decision:
    """Refuse a row whose order is not known.

    :param order_of_line: the order that has a line with this id.
    :param asked: how often Back Market was asked for the order in vain; None: it never said that it has none.
    """
    if order_of_line is not None:
        return refuse(
            f"waits: {order_id} is the id of a line of order {order_of_line}: put {order_of_line} into order_id"
        )
    if asked is None:
        return refuse(
            "waits: this order is not known here and could not be read so far: the log of the task that reads it says "
            "why. Check the order id, too"
        )
    if asked.is_given_up:
        return refuse(str(asked))
    return refuse("waits: this order is not known here and not on Back Market; check the order id")
