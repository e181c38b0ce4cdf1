"""Looks at what an account's token shows."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.services.item_failures import raise_what_concerns_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.api.client import BackMarketClient
    from backmarket.hooks.backmarket import BackMarketHook
    from backmarket.warehouse.accounts import KnownThing


def count_visible(client: BackMarketClient, markets: Iterable[str]) -> dict[str, Any]:
    from backmarket.api.errors import BackMarketError
    from backmarket.services.item_failures import raise_what_concerns_all

    began = monotonic()
    orders = client.count_orders()
    listings: dict[str, int] = {}
    refused: dict[str, str] = {}
    for market in markets:
        try:
            listings[market] = client.count_listings(market)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            refused[market] = str(error)
    calls = 1 + len(listings) + len(refused)
    return {
        "orders": orders,
        "listings": listings,
        "refused": refused,
        "calls": calls,
        "milliseconds_a_call": round((monotonic() - began) * 1000 / calls),
    }


def shows_any(hook: BackMarketHook, known: Iterable[KnownThing]) -> bool:
    """Tell whether the connection's token sees one of these orders and listings.

    :raises BackMarketError: where it was shown none, and Back Market failed on one.
    """
    from backmarket.api.errors import BackMarketError, ForbiddenError, NotFoundError, UnreadableDocumentError

    failure: BackMarketError | None = None
    with hook as client:
        for thing in known:
            try:
                if thing.what == "order":
                    client.get_order(int(thing.key))
                else:
                    client.get_listing(thing.key, client.config.market)
            except (NotFoundError, ForbiddenError):
                continue
            except UnreadableDocumentError:
                return True
            except BackMarketError as error:
                raise_what_concerns_all(error)
                failure = error
            else:
                return True
    if failure:
        raise failure
    return False
