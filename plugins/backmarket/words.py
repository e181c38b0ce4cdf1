"""Says counts, times and outcomes the way people write them: for logs, errors, alerts and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OUTCOMES = {"planned": "to be sent again", "unknown": "not known yet", "not_ours": "taken by another run"}
_CHANGES = {
    "accept": ("acceptance", ""),
    "tracking": ("shipment", ""),
    "imei": ("identifier", ""),
    "quantity": ("quantity", "quantities"),
    "product": ("product", ""),
    "price": ("price", ""),
    "listing": ("listing", ""),
    "refund": ("refund", ""),
    "invoice": ("invoice", ""),
}


def counted(number: int, one: str, many: str = "") -> str:
    """Write how many there are of a thing: ``1 request``, ``1,204 requests``.

    :param many: the plural, where it is not the singular and an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def counted_if_known(number: int | None, one: str) -> str:
    """Write how many there are of a thing; ``several orders`` where nobody has counted them."""
    return f"several {one}s" if number is None else counted(number, one)


def changes_counted(number: int, kind: str) -> str:
    """Write how many changes of one kind there are: ``2 shipments``."""
    return counted(number, *_CHANGES.get(kind, ("change", "")))


def name_of_kind(kind: str) -> str:
    """Say what a change of a kind is: ``shipment``."""
    return _CHANGES.get(kind, ("change", ""))[0]


def tally(counts: Mapping[str, int], *, none: str = "none") -> str:
    """Write how many ended how, without zeros: ``1,204 confirmed, 2 not known yet``.

    :param none: what stands for no count at all.
    """
    told = [f"{n:,} {_OUTCOMES.get(name, name.replace('_', ' '))}" for name, n in counts.items() if n]
    return ", ".join(told) or none


def minute(moment: datetime) -> str:
    """Write a moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def time_of_day(moment: datetime) -> str:
    """Write the time of day to the second, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def about(seconds: float) -> str:
    """Write a span roughly: ``about 40 seconds``, ``about 3 minutes``, ``about 2.5 hours``."""
    if seconds < 55:
        return f"about {counted(max(10 * ceil(seconds / 10), 10), 'second')}"
    if seconds < 90 * 60:
        return f"about {counted(round(seconds / 60), 'minute')}"
    return f"about {seconds / 3600:,.1f} hours"
