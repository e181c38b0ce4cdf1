"""Looks at what an account's token shows."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import (
    AuthenticationError,
    BackMarketError,
    ForbiddenError,
    NotFoundError,
    UnreadableDocumentError,
)
from backmarket.api.markets import MARKETS
from backmarket.services.item_failures import raise_what_concerns_all
from backmarket.warehouse.accounts import record_check
from backmarket.words import counted, counted_if_known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.api.client import BackMarketClient
    from backmarket.services.log import Log
    from backmarket.warehouse.accounts import KnownThing
    from backmarket.warehouse.connection import Connection

TRIED_AIRFLOW_VERSIONS = ("3.2", "3.3")


def untried_version(airflow_version: str) -> str | None:
    """Return what to tell people of an Airflow whose minor version this package was never tried on."""
    major, minor, *_ = airflow_version.split(".")
    if f"{major}.{minor}" in TRIED_AIRFLOW_VERSIONS:
        return None
    return (
        f"This package was tried on Airflow {' and '.join(TRIED_AIRFLOW_VERSIONS)}, not on {airflow_version}: it may "
        "work. Try it with backmarket_dry_run on before you rely on it, and look for a newer backmarket-airflow."
    )


def check_account(
    client: BackMarketClient, connection: Connection, account: str, platform: str, log: Log
) -> dict[str, Any]:
    """Count what the token shows in every market of a platform, record it, and log it for a person.

    :return: the platform, visible orders, listings by market, markets refused, calls, and milliseconds a call; None
        for several orders or listings that Back Market does not count.
    :raises AuthenticationError: where the token is no longer valid; that is recorded, too.
    """
    try:
        found = _count_visible(client, [code for code, market in MARKETS.items() if market.platform == platform])
    except AuthenticationError:
        record_check(connection, account, platform=platform, token_valid=False, details={})
        raise
    record_check(connection, account, platform=platform, token_valid=True, details=found)
    log.info(
        "The token is valid. %s belongs to platform %s; %s visible.",
        client.config.base_url,
        platform,
        counted_if_known(found["orders"], "order"),
    )
    for market, listings in found["listings"].items():
        log.info("Market %s answers: %s.", market, counted_if_known(listings, "listing"))
    for market, reason in found["refused"].items():
        log.warning("Market %s does not answer: %s", market, reason)
    log.info(
        "%s, %s a call. Switch concerns on one by one under Admin → Variables.",
        counted(found["calls"], "request"),
        counted(found["milliseconds_a_call"], "millisecond"),
    )
    return {"platform": platform, **found}


def _count_visible(client: BackMarketClient, markets: Iterable[str]) -> dict[str, Any]:
    began = monotonic()
    orders = client.count_orders()
    listings: dict[str, int | None] = {}
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


def shows_any(client: BackMarketClient, known: Iterable[KnownThing]) -> bool:
    """Tell whether the client's token shows one of these orders and listings.

    :raises BackMarketError: where it showed none, and Back Market failed on one.
    """
    failure: BackMarketError | None = None
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
