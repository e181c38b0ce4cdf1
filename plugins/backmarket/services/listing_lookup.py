"""Looks listings up by SKU, several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from backmarket.api.errors import BackMarketError, NotFoundError, UnreadableDocumentError
from backmarket.api.listings import DETAIL_PATH
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
_MOST_WITNESSES = 3


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


def look_up_absent_again(
    client: BackMarketClient, changes: Sequence[RecordedChange], lookups: Sequence[Lookup]
) -> list[Lookup]:
    """Ask once more for the SKUs that have no listing: one 404 may be a gateway's, and a batch overwrites a listing.

    In between, Back Market has to find a SKU that it lists, in the market that was asked. Where it finds none, its 404
    says nothing of the others either: they count as failed.

    :param lookups: what the first asking told of these changes, in their order.
    :return: a lookup for each change, in their order.
    :raises BackMarketError: where a failure concerns all SKUs alike.
    """
    absent = [change for change, lookup in zip(changes, lookups, strict=True) if lookup.exists is False]
    markets = dict.fromkeys(change.payload["market"] for change in absent)
    doubts = {market: _why_in_doubt(client, market) for market in markets}
    trusted = [change for change in absent if not doubts[change.payload["market"]]]
    again = {change.change_id: Lookup(None, None, doubts[change.payload["market"]]) for change in absent}
    again |= {change.change_id: lookup for change, lookup in zip(trusted, look_up_each(client, trusted), strict=True)}
    return [again.get(change.change_id, lookup) for change, lookup in zip(changes, lookups, strict=True)]


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


def _why_in_doubt(client: BackMarketClient, market: str) -> BackMarketError | None:
    """Return what keeps a 404 of a SKU from being believed; None where listed SKUs are found, or none is listed.

    :raises BackMarketError: where it concerns all SKUs alike.
    """
    try:
        page = client.first_listings(market)
    except BackMarketError as error:
        raise_what_concerns_all(error)
        return error
    if not page.count and not page.listings:
        return None
    witnesses = [listing.sku for listing in page.listings if listing.sku][:_MOST_WITNESSES]
    if any(_is_found(client, sku, market) for sku in witnesses):
        return None
    told = "it did not find SKUs that it lists either, so that nobody can tell whether this one is listed"
    return NotFoundError(told, method="GET", path=DETAIL_PATH, status=404)


def _is_found(client: BackMarketClient, sku: str, market: str) -> bool:
    """Tell whether a listing is found, whatever it looks like; one that Back Market fails on is not.

    :raises BackMarketError: where the failure concerns all SKUs alike.
    """
    try:
        return client.find_listing(sku, market) is not None
    except UnreadableDocumentError:
        return True
    except BackMarketError as error:
        raise_what_concerns_all(error)
        return False


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
