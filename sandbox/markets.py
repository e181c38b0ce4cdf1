"""Platforms, their markets and currencies, and how an amount of each currency is written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """One market: `code` is what Accept-Language and `country_code` hold; `share` weights seeded orders."""

    code: str
    country: str
    currency: str
    share: int
    rate: float
    """Prices of this market per unit of the platform's first currency."""


@dataclass(frozen=True)
class Platform:
    """One of Back Market's three platforms; accounts and tokens belong to exactly one."""

    name: str
    host: str
    markets: dict[str, Market]

    @property
    def home(self) -> Market:
        """The platform's first market."""
        return next(iter(self.markets.values()))


def _markets(*rows: tuple[str, str, str, int, float]) -> dict[str, Market]:
    return {row[0]: Market(*row) for row in rows}


PLATFORMS: dict[str, Platform] = {
    "EU": Platform(
        "EU",
        "www.backmarket.fr",
        _markets(
            ("fr-fr", "FR", "EUR", 34, 1.0),
            ("de-de", "DE", "EUR", 18, 1.02),
            ("es-es", "ES", "EUR", 12, 0.97),
            ("en-gb", "GB", "GBP", 12, 0.86),
            ("it-it", "IT", "EUR", 8, 0.99),
            ("sv-se", "SE", "SEK", 6, 11.2),
            ("nl-nl", "NL", "EUR", 3, 1.01),
            ("fr-be", "BE", "EUR", 2, 1.0),
            ("de-at", "AT", "EUR", 1, 1.03),
            ("pt-pt", "PT", "EUR", 1, 0.98),
            ("en-ie", "IE", "EUR", 1, 1.04),
            ("el-gr", "GR", "EUR", 1, 1.0),
            ("sk-sk", "SK", "EUR", 1, 0.96),
        ),
    ),
    "NA": Platform("NA", "www.backmarket.com", _markets(("en-us", "US", "USD", 1, 1.0))),
    "AP": Platform(
        "AP",
        "www.backmarket.co.jp",
        _markets(("ja-jp", "JP", "JPY", 3, 160.0), ("en-au", "AU", "AUD", 1, 1.65)),
    ),
}

_NO_DECIMALS = frozenset({"JPY"})


def decimals(currency: str) -> int:
    """Tell how many decimals amounts of a currency have."""
    return 0 if currency in _NO_DECIMALS else 2


def money(amount: int, currency: str) -> str:
    """Write an amount of minor units as Back Market does: a string with the currency's decimals."""
    if not decimals(currency):
        return str(amount)
    sign, digits = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}{digits // 100}.{digits % 100:02d}"


def minor_units(price: float, currency: str) -> int:
    """Turn a price of whole units into the currency's smallest ones."""
    return round(price * (100 if decimals(currency) else 1))
