"""What planning and sending prices reads: the seller's prices, and what the markets show."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.markets import MARKETS
from backmarket.rules.prices import other_currency
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.seller_rows import PRICES, LeftOut, SellerRows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from backmarket.rules.prices import WantedPrice
    from backmarket.rules.sku_map import SkuMap
    from backmarket.warehouse.connection import Connection


class PriceRow(NamedTuple):
    """A row of ``seller.prices`` whose listing the market shows, beside what it shows.

    :param sku: the listing's.
    :param given_sku: as the row has it.
    :param market: as Back Market writes it.
    :param wanted: the row, or why it cannot be used.
    :param shown: the offer's price; None where it has none yet.
    :param max_price_unreadable: whether the listing has a ``max_price`` in a form that cannot be read.
    :param read_at: when the offer was read last.
    :param last_sent: the last price that was sent from here and confirmed.
    :param last_sent_at: when it was confirmed.
    :param currency: in which the offer is shown; None where it names none.
    :param last_shown: where it shows no price, the last one that it showed.
    """

    sku: str
    given_sku: str
    market: str
    wanted: WantedPrice | LeftOut
    listing_id: UUID
    shown: Decimal | None
    max_price: Decimal | None
    max_price_unreadable: bool
    read_at: datetime
    last_sent: Decimal | None
    last_sent_at: datetime | None
    currency: str | None
    last_shown: Decimal | None
    last_shown_currency: str | None


def price_rows(
    connection: Connection, account: str, markets: list[str], feeding: SkuMap
) -> tuple[SellerRows[WantedPrice], list[PriceRow]]:
    """Return the rows of ``seller.prices`` that these markets may be meant by, and those whose listing a market shows.

    A row of a market that Back Market does not have may mean any of them. A row whose SKU has, or feeds, several
    listings comes once for each of them.
    """
    usable: list[WantedPrice] = []
    left_out: list[LeftOut] = []
    shown: list[PriceRow] = []
    parameters = {"account": account, "markets": markets, "known": list(MARKETS), **_priced(feeding)}
    found = feeds.select(connection, PRICES.table, sql.statement("inventory_prices/select_prices"), parameters)
    for _, same_row in groupby(found, key=itemgetter(0)):
        of_row = list(same_row)
        texts = of_row[0][1:6]
        wanted = PRICES.judge(dict(zip(PRICES.columns, texts, strict=True)))
        if isinstance(wanted, LeftOut):
            left_out.append(wanted)
        else:
            usable.append(wanted)
        shown += [PriceRow(row[6], texts[0], row[7], wanted, *row[8:]) for row in of_row if row[8]]
    return SellerRows(PRICES.table, "sku", usable, left_out), shown


def unmatched_prices(
    connection: Connection, account: str, markets: list[str], feeding: SkuMap
) -> list[tuple[str, int, list[str]]]:
    """Return why rows of ``seller.prices`` are not planned, how many they are, and up to five of them."""
    parameters = {
        "account": account,
        "markets": markets,
        "known": list(MARKETS),
        "unusable": list(feeding.unusable),
        **_priced(feeding),
    }
    return connection.execute(sql.statement("inventory_prices/count_unmatched"), parameters).fetchall()


def _priced(feeding: SkuMap) -> dict[str, list[Any]]:
    """Return which listings are meant by the price of a SKU: those that take one unit of it.

    What a listing costs that takes several is not guessed.
    """
    pairs: list[tuple[str, str | None]] = [(sku, None) for sku in feeding.unusable]
    for sku, listings in feeding.mapped.items():
        pairs += [(sku, listing) for listing, units in listings.items() if units == 1] or [(sku, None)]
    return {"sku_keys": [sku for sku, _ in pairs], "listing_keys": [listing for _, listing in pairs]}


def shown_prices(connection: Connection, account: str) -> dict[tuple[str, str], tuple[Decimal | None, datetime]]:
    """Return what every market showed when it was read last, and when that was, by the listing's id and market.

    A price in another currency than its market's is none: what was sent is not what it shows, whatever the figures are.
    """
    rows = connection.execute(sql.statement("inventory_prices/select_shown_prices"), {"account": account})
    return {
        (str(listing_id), market): (None if _is_foreign(currency, market) else price, read_at)
        for listing_id, market, price, currency, read_at in rows
    }


def _is_foreign(currency: str | None, market: str) -> bool:
    return market in MARKETS and other_currency(currency, MARKETS[market].currency) is not None


def skus_and_grades(connection: Connection, account: str, listing_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return SKU, as Back Market writes it, and grade of those of these listings that have both, by id."""
    parameters = {"account": account, "ids": list(listing_ids)}
    rows = connection.execute(sql.statement("inventory_prices/select_batch_columns"), parameters)
    return {str(listing_id): (sku, grade) for listing_id, sku, grade in rows}


def count_offers(connection: Connection, account: str, market: str) -> int:
    """Return how many listings a market showed when it was read last."""
    parameters = {"account": account, "market": market}
    row = connection.execute(sql.statement("inventory_prices/count_offers"), parameters).fetchone()
    return int(row[0]) if row else 0
