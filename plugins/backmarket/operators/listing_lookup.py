"""Looks whether Back Market has a listing of a SKU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from backmarket.operators.item_failures import raise_what_concerns_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backmarket.api.client import BackMarketClient
    from backmarket.api.errors import BackMarketError
    from backmarket.api.models import Listing
    from backmarket.warehouse.ledger import RecordedChange


_LOOKS_AT_ONCE = 8
_HANDFUL = 16


class Look(NamedTuple):
    """What a look found.

    :param exists: whether there is a listing of the SKU; None where Back Market could not say.
    :param listing: the listing; None where there is none, or where it could not be understood.
    :param failure: why Back Market could not say.
    """

    exists: bool | None
    listing: Listing | None
    failure: BackMarketError | None = None


def look_up_each(client: BackMarketClient, changes: Sequence[RecordedChange]) -> list[Look]:
    """Look for the listings of all these changes' SKUs, several at a time; one that fails keeps none of the others.

    Where a whole handful fails, no more is asked of that market, and the rest of it counts as failed alike.

    :return: a look for each change, in their order.
    :raises BackMarketError: where a failure concerns all SKUs alike.
    """
    markets: dict[str, list[RecordedChange]] = {}
    for change in changes:
        markets.setdefault(change.payload["market"], []).append(change)
    looks: dict[int, Look] = {}
    with ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix="backmarket-lookup") as threads:
        for of_market in markets.values():
            for change, look in zip(of_market, _look_up_market(client, threads, of_market), strict=True):
                looks[change.change_id] = look
    return [looks[change.change_id] for change in changes]


def _look_up_market(
    client: BackMarketClient, threads: ThreadPoolExecutor, changes: Sequence[RecordedChange]
) -> list[Look]:
    looks: list[Look] = []
    for start in range(0, len(changes), _HANDFUL):
        handful = list(threads.map(lambda change: look_up(client, change), changes[start : start + _HANDFUL]))
        looks += handful
        failures = [look.failure for look in handful if look.failure]
        for failure in failures:
            raise_what_concerns_all(failure)
        if len(failures) == _HANDFUL:
            looks += [Look(None, None, failures[0])] * (len(changes) - len(looks))
            break
    return looks


def look_up(client: BackMarketClient, change: RecordedChange) -> Look:
    """Look for the listing of a change's SKU, in its market."""
    from backmarket.api.errors import BackMarketError, UnreadableDocumentError

    try:
        listing = client.find_listing(change.subject, change.payload["market"])
    except UnreadableDocumentError:
        return Look(exists=True, listing=None)
    except BackMarketError as error:
        return Look(exists=None, listing=None, failure=error)
    return Look(exists=listing is not None, listing=listing)
