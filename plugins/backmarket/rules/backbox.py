"""Decides of which listings Back Market is asked where they stand in the competition for a BackBox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - read at run time by the dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

SOLD_WITHIN = timedelta(days=30)
"""So far back go the sales by which listings are told apart."""

ASKED_AGAIN_WHILE_OFF_SALE = timedelta(days=1)
"""A listing that is not on sale competes nowhere: it takes no requests from those that do but once in so long."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A listing that may be asked for.

    :param is_on_sale: whether it is online in some market, and in stock.
    :param units_sold: within :data:`SOLD_WITHIN`.
    :param asked_at: when Back Market was asked for it last, in UTC; None: never.
    """

    listing_id: UUID
    is_on_sale: bool
    units_sold: int = 0
    asked_at: datetime | None = None


def choose_listings(candidates: Iterable[Candidate], *, now: datetime, most: int) -> list[UUID]:
    """Choose the listings to ask for now, those where it matters most first.

    On sale and in stock come first; among them those not asked for in this hour, so that a run that was cut short is
    gone on with; then those that sold most; then those asked for longest ago, or never. Those that are not on sale are
    left out where they were asked for within :data:`ASKED_AGAIN_WHILE_OFF_SALE`.

    :param candidates: listings that Back Market serves, each once.
    :param now: in UTC.
    :param most: so many at most; what is left of the hour's requests.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)

    def asked(candidate: Candidate) -> datetime:
        return candidate.asked_at or _NEVER

    due = [each for each in candidates if each.is_on_sale or now - ASKED_AGAIN_WHILE_OFF_SALE >= asked(each)]
    due.sort(
        key=lambda each: (
            not each.is_on_sale,
            asked(each) >= hour,
            -each.units_sold,
            asked(each),
            # Only so that equals have an order.
            each.listing_id,
        )
    )
    return [each.listing_id for each in due[: max(most, 0)]]
