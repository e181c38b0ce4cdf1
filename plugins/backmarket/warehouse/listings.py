"""Stores readings of listings: what is global, what belongs to a market, and each change of an offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean, dump

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from backmarket.api.models import Listing
    from backmarket.warehouse.connection import Connection

# The columns of listings/copy_listings.sql between market and document, in their order.
_FIELDS = (
    "id listing_id sku product_id backmarket_id title grade state quantity warranty_delay new_battery price currency"
    " min_price max_price publication_state comment"
).split()


class MergeCounts(NamedTuple):
    """What a merge did: offers (a listing in a market) new, changed and unchanged."""

    new: int
    changed: int
    unchanged: int


@dataclass
class ListingStaging:
    """A temporary table on one connection that collects readings until :meth:`merge` stores them.

    Nothing is visible to others, and nothing is left behind, until then.
    """

    connection: Connection
    account: str

    def __post_init__(self) -> None:
        self.connection.execute(sql.statement("listings/stage_listings"))
        self.connection.execute("truncate staged_listings")

    def add(self, listings: Iterable[Listing], market: str, *, read_at: datetime) -> None:
        """Stage listings as one market showed them; of several readings the latest will be stored.

        :param read_at: Back Market's own time of the reading, where it is known.
        """
        with (
            self.connection.cursor() as cursor,
            cursor.copy(sql.statement("listings/copy_listings")) as copy,
        ):
            for listing in listings:
                copy.write_row((read_at, market, *_values(listing), dump(listing.document)))

    def merge(self) -> MergeCounts:
        """Store what was staged; to be called in a transaction."""
        parameters = {"account": self.account}
        _take_turns(self.connection, self.account)
        self.connection.execute(sql.statement("quarantine/release_listings"), parameters)
        row = self.connection.execute(sql.statement("listings/merge_listings"), parameters).fetchone()
        return MergeCounts(*row or ())


def store_readings(
    connection: Connection, account: str, market: str, listings: Iterable[Listing], *, read_at: datetime
) -> MergeCounts:
    """Store fresh readings of listings in one market, be it one listing or many; a later reading always stays.

    This says nothing about listings that are missing; :func:`mark_gone` does, after a complete read.

    :param read_at: when they were read; take it before the request where Back Market's time is not at hand.
    """
    staging = ListingStaging(connection, account)
    with connection.transaction():
        staging.add(listings, market, read_at=read_at)
        return staging.merge()


def mark_gone(
    connection: Connection,
    account: str,
    market: str,
    *,
    markets: Iterable[str],
    seen: Iterable[UUID],
    since: datetime,
) -> int:
    """After a complete read of a market, mark its offers that the read did not hold; to be called in a transaction.

    :param markets: all markets that are read: a listing is gone when none of them has an offer of it.
    :param seen: what the read held, documents that could not be understood included.
    :param since: when the read began; what was stored later is not judged.
    :return: how many offers are gone now that were not before.
    """
    parameters = {
        "account": account,
        "market": market,
        "markets": list(markets),
        "seen": list(seen),
        "since": since,
    }
    _take_turns(connection, account)
    row = connection.execute(sql.statement("listings/mark_gone"), parameters).fetchone()
    return int(row[0]) if row else 0


def _take_turns(connection: Connection, account: str) -> None:
    """Let merges of one account follow each other: two that meet in the same listings would block each other."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"listings/{account}"])


def _values(listing: Listing) -> list[Any]:
    values = (getattr(listing, name) for name in _FIELDS)
    return [clean(value) if isinstance(value, str) else value for value in values]
