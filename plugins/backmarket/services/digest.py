"""Words the daily digest: what a day brought, and what waits; and sends it once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from backmarket.services.alerts import Message
from backmarket.warehouse.alerts import note_told
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from decimal import Decimal

    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader

_NEVER_AGAIN_HOURS = 24 * 365


@dataclass(frozen=True)
class Sales:
    """What the orders of a day are worth in one currency.

    :param sales: prices with shipping.
    :param net: sales less Back Market's commission.
    """

    currency: str
    sales: Decimal
    commission: Decimal
    net: Decimal


@dataclass(frozen=True)
class BackBox:
    """What a UTC day brought in the competition for the BackBox, each listing counted once a market.

    :param competing: those that took part at its end, of which ``won`` had it.
    :param moves: prices that were moved for it.
    """

    competing: int
    won: int
    moves: int


@dataclass(frozen=True)
class Day:
    """The orders of one UTC day that were paid, and are neither cancelled nor refunded.

    :param backbox: None where nothing competed, and no price was moved for it.
    """

    day: date
    orders: int
    units: int
    sales: Sequence[Sales]
    backbox: BackBox | None = None


def day_in_figures(database: Reader, day: date) -> Day:
    """Read what a UTC day brought."""
    found = database.rows("digest_orders", day=day)
    orders, units = (int(found[0][name]) if found else 0 for name in ("orders", "units"))
    stood = [BackBox(**row) for row in database.rows("digest_backbox", day=day) if row["competing"] or row["moves"]]
    sales = [Sales(**row) for row in database.rows("digest_sales", day=day)]
    return Day(day, orders, units, sales, next(iter(stood), None))


def tell_of_day(
    connection: Connection, account: str, day: Day, needs: Sequence[Need], send: Callable[[Message], None], url: str
) -> bool:
    """Send the digest of a day, unless it was sent before; return whether it went out.

    What is told is noted in the transaction of the sending: a failure to send is made good by the next run.
    """
    with connection.transaction():
        subject = f"digest:{day.day}"
        if not note_told(connection, account, [subject], repeat_hours=_NEVER_AGAIN_HOURS):
            return False
        send(digest_message(account, day, needs, url))
    return True


def digest_message(account: str, day: Day, needs: Sequence[Need], url: str) -> Message:
    """Say what a day brought: orders, units, what they are worth in each currency, the BackBox; and what waits now."""
    lines = [f"{counted(day.orders, 'order')} and {counted(day.units, 'unit')} on {day.day} (UTC)."]
    lines += [
        f"{each.currency}: net {each.net:,f}, that is {each.sales:,f} of sales less {each.commission:,f} of commission."
        for each in day.sales
    ]
    if day.backbox:
        won = f"{day.backbox.won:,} of {counted(day.backbox.competing, 'listing')} won"
        lines.append(f"BackBox: {won}, {counted(day.backbox.moves, 'price')} moved.")
    waits = [f"- {need.title}: {need.total:,}" for need in needs]
    lines += ["Waits for a person:", *waits] if waits else ["Nothing waits for a person."]
    currencies: dict[str, Any] = {each.currency: {"sales": str(each.sales), "net": str(each.net)} for each in day.sales}
    return Message(
        title=f"Back Market ({account}): {counted(day.orders, 'order')} on {day.day}",
        text="\n".join([*lines, f"All of it: {url}"]),
        facts={
            "kind": "digest",
            "account": account,
            "day": day.day.isoformat(),
            "orders": day.orders,
            "units": day.units,
            "currencies": currencies,
            "backbox": asdict(day.backbox) if day.backbox else None,
            "waiting": {need.title: need.total for need in needs},
            "url": url,
        },
    )
