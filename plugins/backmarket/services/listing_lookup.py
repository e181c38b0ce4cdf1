"""Looks listings up by SKU, several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from backmarket.api.errors import BackMarketError, UnreadableDocumentError
from backmarket.services.item_failures import raise_what_concerns_all
from backmarket.warehouse.listings import store_readings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange

_AT_ONCE = 8
_HANDFUL = 16


class Lookup(NamedTuple):
    """The answer to one lookup.

    :param exists: whether there is a listing of the SKU; None where Back Market could not say.
    :param listing: the listing; None where there is none, or where it could not be understood.
    :param failure: why Back Market could not say.
    :param was_asked: False where it was not, as it failed on all others of the market.
    """

    exists: bool | None
    listing: Listing | None
    failure: BackMarketError | None = None
    was_asked: bool = True


def look_up_each(client: BackMarketClient, changes: Sequence[RecordedChange]) -> list[Lookup]:
    """Look up the listings of all these changes' SKUs; one failure does not stop the others.

    A handful of sick SKUs may well stand together, so where a whole handful fails, the market's last SKU decides: where
    that fails, too, the market is not asked again, and the rest of its SKUs count as failed alike.

    :return: a lookup for each change, in their order.
    :raises BackMarketError: where a failure concerns all SKUs alike.
    """
    markets: dict[str, list[RecordedChange]] = {}
    for change in changes:
        markets.setdefault(change.payload["market"], []).append(change)
    lookups: dict[int, Lookup] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="backmarket-lookup") as threads:
        for of_market in markets.values():
            for change, lookup in zip(of_market, _look_up_market(client, threads, of_market), strict=True):
                lookups[change.change_id] = lookup
    return [lookups[change.change_id] for change in changes]


def store_found(
    connection: Connection,
    account: str,
    changes: Sequence[RecordedChange],
    lookups: Sequence[Lookup],
    *,
    read_at: datetime,
) -> None:
    """Store the listings that were found.

    :param lookups: one for each change, in their order.
    :param read_at: when looking them up began.
    """
    found: dict[str, list[Listing]] = {}
    for change, lookup in zip(changes, lookups, strict=True):
        if lookup.listing is not None:
            found.setdefault(change.payload["market"], []).append(lookup.listing)
    for market, listings in found.items():
        store_readings(connection, account, market, listings, read_at=read_at)


def _look_up_market(
    client: BackMarketClient, threads: ThreadPoolExecutor, changes: Sequence[RecordedChange]
) -> list[Lookup]:
    lookups: list[Lookup] = []
    from_the_end: list[Lookup] = []
    while ahead := changes[len(lookups) : len(changes) - len(from_the_end)]:
        handful = list(threads.map(lambda change: _look_up(client, change), ahead[:_HANDFUL]))
        lookups += handful
        failures = _failures(handful)
        if len(failures) == _HANDFUL < len(ahead):
            from_the_end.insert(0, _look_up(client, ahead[-1]))
            if _failures(from_the_end[:1]):
                lookups += [Lookup(None, None, failures[0], was_asked=False)] * (len(ahead) - _HANDFUL - 1)
    return lookups + from_the_end


def _failures(lookups: Sequence[Lookup]) -> list[BackMarketError]:
    """Return what lookups failed with.

    :raises BackMarketError: where one concerns all SKUs alike.
    """
    failures = [lookup.failure for lookup in lookups if lookup.failure]
    for failure in failures:
        raise_what_concerns_all(failure)
    return failures


def _look_up(client: BackMarketClient, change: RecordedChange) -> Lookup:
    try:
        listing = client.find_listing(change.subject, change.payload["market"])
    except UnreadableDocumentError:
        return Lookup(exists=True, listing=None)
    except BackMarketError as error:
        return Lookup(exists=None, listing=None, failure=error)
    return Lookup(exists=listing is not None, listing=listing)
