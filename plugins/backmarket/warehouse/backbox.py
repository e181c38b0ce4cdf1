"""Stores where listings stand in the competition for a BackBox, and counts the requests that this takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.backbox import Candidate
from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import dump
from backmarket.warehouse.quarantine import key_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from backmarket.api.models.backbox import Competitors, MonetaryAmount
    from backmarket.warehouse.connection import Connection

ENTITY = "backbox"
"""What quarantine calls an answer about a listing, or what it says of one market."""


class MergeCounts(NamedTuple):
    """In how many markets of a listing something is new, changed and unchanged, and which it takes part in no more."""

    new: int
    changed: int
    unchanged: int
    gone: int


def candidates(connection: Connection, account: str, *, sold_since: datetime) -> list[Candidate]:
    """Return all listings that may be asked for, in no order."""
    parameters = {"account": account, "since": sold_since}
    return [Candidate(*row) for row in connection.execute(sql.statement("backbox/select_candidates"), parameters)]


def taking_part(connection: Connection, account: str, *, since: datetime) -> set[UUID]:
    """Return the listings that take part in a BackBox, by what was read since a moment."""
    parameters = {"account": account, "since": since}
    return {row[0] for row in connection.execute(sql.statement("backbox/select_taking_part"), parameters)}


def requests_made(connection: Connection, account: str) -> int:
    """Return how many requests of this hour were counted, by the database's clock."""
    row = connection.execute(sql.statement("backbox/select_requests"), {"account": account}).fetchone()
    return int(row[0]) if row else 0


def count_request(connection: Connection, account: str, *, most: int) -> bool:
    """Count a request of this hour before it is made; return False, and count none, where the hour's are spent.

    :param most: so many an hour.
    """
    parameters = {"account": account, "most": most}
    return connection.execute(sql.statement("backbox/count_request"), parameters).fetchone() is not None


def note_asking(
    connection: Connection,
    account: str,
    listing_id: UUID,
    *,
    asked_at: datetime,
    has_backbox: bool | None,
    reason: str | None,
) -> bool:
    """Remember what came of asking for a listing; return False where more is known by a later asking.

    :param has_backbox: whether it takes part in a BackBox of any market; None where that could not be had or read.
    """
    parameters = {
        "account": account,
        "id": listing_id,
        "asked_at": asked_at,
        "has_backbox": has_backbox,
        "reason": reason,
    }
    return connection.execute(sql.statement("backbox/note_asking"), parameters).fetchone() is not None


def merge_competitors(
    connection: Connection, account: str, found: Competitors, *, unread: Collection[str], is_whole: bool
) -> MergeCounts:
    """Store where a listing stands; an older reading than what is stored changes nothing.

    :param unread: markets of which the answer says something that could not be read: what is known of them stays.
    :param is_whole: whether the answer names no other market; else none is taken as gone.
    """
    rows = list(found)
    markets = [each.market for each in rows]
    parameters = {
        "account": account,
        "id": found.listing_id,
        "read_at": found.asked_at,
        "markets": markets,
        "prices": [_amount(each.price) for each in rows],
        "min_prices": [_amount(each.min_price) for each in rows],
        "prices_to_win": [_amount(each.price_to_win) for each in rows],
        "winner_prices": [_amount(each.winner_price) for each in rows],
        "currencies": [each.currency for each in rows],
        "winning": [each.is_winning for each in rows],
        "documents": [dump(each.document) for each in rows],
        "standing": [*markets, *unread],
        "is_whole": is_whole,
    }
    row = connection.execute(sql.statement("backbox/merge_competitors"), parameters).fetchone()
    return MergeCounts(*row or (0, 0, 0, 0))


def release(connection: Connection, account: str, listing_id: UUID, *, kept: Collection[str]) -> None:
    """Let everything about a listing leave the quarantine but these keys, which the newest answer set apart."""
    parameters = {"account": account, "entity": ENTITY, "id": str(listing_id), "keys": [key_of(key) for key in kept]}
    connection.execute(sql.statement("backbox/release_competitors"), parameters)


def _amount(amount: MonetaryAmount | None) -> Decimal | None:
    """Return what an amount is; 0 is how the specification writes that there is none."""
    return (None if amount is None else amount.amount) or None
