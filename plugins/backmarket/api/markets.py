"""Back Market's markets: which platform serves each, and in which currency its prices are."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

Platform = Literal["EU", "NA", "AP"]


@dataclass(frozen=True)
class Market:
    """One country and language of Back Market.

    :param code: as ``Accept-Language`` and ``country_code`` carry it, such as ``fr-fr``.
    :param platform: accounts, tokens and listings belong to exactly one.
    :param currency: ISO 4217; the only one in which prices of this market are accepted.
    """

    code: str
    platform: Platform
    currency: str

    @property
    def decimals(self) -> int:
        """How many digits a price of this market may have after the point."""
        return 0 if self.currency == "JPY" else 2


# Source: the spec's COUNTRY_CODES; GBP, SEK and USD seen in production, JPY and AUD assumed.
_ROWS: tuple[tuple[Platform, str, str], ...] = (
    ("EU", "EUR", "fr-fr fr-be es-es de-de de-at it-it nl-nl pt-pt en-ie el-gr sk-sk"),
    ("EU", "GBP", "en-gb"),
    ("EU", "SEK", "sv-se"),
    ("NA", "USD", "en-us"),
    ("AP", "JPY", "ja-jp"),
    ("AP", "AUD", "en-au"),
)
MARKETS = {code: Market(code, platform, currency) for platform, currency, codes in _ROWS for code in codes.split()}

# Each country has one market.
_BY_NAME = {name: market for market in MARKETS.values() for name in (market.code, market.code.partition("-")[2])}


def market_of(name: str) -> Market | None:
    """Return the market that is named by its code or its country, such as ``fr-fr`` or ``FR``; None where none is."""
    return _BY_NAME.get(name.strip().lower())


_DECIMALS = {market.currency: market.decimals for market in MARKETS.values()}


def decimals_of(currency: str | None) -> int:
    """Return how many digits an amount of a currency may have after the point; two where it is of no market here."""
    return _DECIMALS.get(currency or "", 2)


# The first of each platform is the spec's; sellers use those of the other countries as well (seen in production).
_DOMAINS: dict[Platform, str] = {
    "EU": "fr de es it be at pt nl ie fi gr sk se co.uk",
    "NA": "com",
    "AP": "co.jp com.au",
}
PLATFORM_HOSTS: dict[str, Platform] = {
    f"{site}.backmarket.{ending}": platform
    for platform, endings in _DOMAINS.items()
    for site in ("www", "preprod")
    for ending in endings.split()
}


def own_host(host: str) -> str:
    """Return the one address by which a platform is known: ``www.backmarket.fr`` for ``www.backmarket.de``.

    Any other host is its own.
    """
    platform = PLATFORM_HOSTS.get(host)
    if platform is None:
        return host
    site = host.partition(".")[0]
    return f"{site}.backmarket.{_DOMAINS[platform].split()[0]}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where a sandbox may stand in for Back Market."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
