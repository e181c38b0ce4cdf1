"""Reads which of the seller's SKUs feed which listings."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.sku_map import MapRow, SkuMap
from backmarket.rules.skus import sku_key
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.seller_rows import SKU_MAP, LeftOut, SellerRows, is_blank

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection


class MapReading(NamedTuple):
    """What ``seller.sku_map`` says.

    :param feed: its rows, judged one by one.
    :param sku_map: what follows from them, and from what the newest plan knew.
    """

    feed: SellerRows[MapRow]
    sku_map: SkuMap


def read(connection: Connection, account: str) -> MapReading:
    """Read ``seller.sku_map``.

    Rows of one SKU and listing that differ in ``units`` are all left out. A SKU with a row that is left out feeds
    nothing: what it feeds is not known.

    :raises FeedUnusableError: where the table cannot be read at all.
    """
    statement = sql.statement("inventory_prices/select_map")
    rows = feeds.select_whole(connection, SKU_MAP.table, statement, {"account": account})
    judged = [(texts, SKU_MAP.judge(texts)) for texts in (dict(zip(SKU_MAP.columns, row, strict=True)) for row in rows)]
    units: dict[tuple[str, str], set[int]] = defaultdict(set)
    for _, row in judged:
        if isinstance(row, MapRow):
            units[_pair(row)].add(row.units or 1)
    usable: list[MapRow] = []
    left_out: list[LeftOut] = []
    for texts, row in judged:
        if isinstance(row, LeftOut):
            left_out.append(row)
        elif len(units[_pair(row)]) > 1:
            reason = f"{len(units[_pair(row)])} rows of this SKU and listing have different units: keep the right one"
            left_out.append(SKU_MAP.left_out(texts, [reason]))
        else:
            usable.append(row)
    unusable, unclear = (
        {name for each in left_out if (name := each.document[column]) is not None and not is_blank(name)}
        for column in ("sku", "listing_sku")
    )
    former: dict[str, dict[str, int]] = defaultdict(dict)
    for listing, sku, each in connection.execute(sql.statement("inventory_prices/select_former"), {"account": account}):
        former[listing][sku] = each
    feed = SellerRows(SKU_MAP.table, "sku", usable, left_out)
    return MapReading(feed, SkuMap(usable, unusable, former, unclear))


def feeders_of(connection: Connection, account: str, listing_sku: str) -> list[str]:
    """Return all SKUs that may feed a listing, as :func:`sku_key` gives them, its own name among them.

    :raises FeedUnusableError: where the table cannot be read at all.
    """
    parameters = {"account": account, "sku": listing_sku}
    rows = feeds.select(connection, SKU_MAP.table, sql.statement("inventory_prices/select_feeders"), parameters)
    return [sku_key(listing_sku), *(sku for (sku,) in rows)]


def _pair(row: MapRow) -> tuple[str, str]:
    return sku_key(row.sku), sku_key(row.listing_sku)
