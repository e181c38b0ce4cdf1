"""SKUs of stock and prices that no listing has are named, once it is known which listings there are."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.rules.inventory import StockRow
from backmarket.rules.prices import WantedPrice
from backmarket.rules.sku_map import MapRow, SkuMap
from backmarket.services.quantities import plan_quantities
from backmarket.services.unlisted_skus import report_unlisted_prices, report_unlisted_stock
from backmarket.settings import QuantitySettings
from backmarket.warehouse import sync_state
from tests.warehouse.test_seller_rows import add_listing

if TYPE_CHECKING:
    import psycopg

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOG = logging.getLogger(__name__)


def _stock(warehouse: psycopg.Connection[Any], **units: int) -> int:
    rows = [StockRow(sku, quantity, NOW) for sku, quantity in units.items()]
    return report_unlisted_stock(warehouse, "default", rows, SkuMap(), market="fr-fr", log=LOG)


def _findings(warehouse: psycopg.Connection[Any]) -> dict[str, str]:
    query = "select concat(kind, ' ', sku), detail from backmarket.inventory_findings order by 1"
    return dict(warehouse.execute(query).fetchall())


@pytest.fixture
def listed(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A home market that was read whole, with one listing, and an article that is to be listed."""
    add_listing(warehouse, " Good\t")
    sync_state.record_success(warehouse, "default", "listings", {}, market="fr-fr")
    warehouse.execute("insert into seller.catalog (sku) values ('To-Come')")
    return warehouse


def test_nothing_is_unlisted_before_the_listings_were_read(warehouse: psycopg.Connection[Any]) -> None:
    """A first run, or one of another market."""
    add_listing(warehouse, "GOOD")
    sync_state.record_success(warehouse, "default", "listings", {}, market="de-de")
    assert _stock(warehouse, GOOD=1, GODO=2) == 0
    assert _findings(warehouse) == {}


def test_a_sku_with_units_and_no_listing_is_named_while_it_lasts(listed: psycopg.Connection[Any]) -> None:
    """Neither case nor blanks make another SKU; what has no units, or is to be listed, is no slip."""
    assert _stock(listed, good=1, GODO=2, GONE=0, BOOKED=-1, **{"to-come": 3}) == 1
    ask = "is it misspelt, or is its listing still to be created?"
    told = f"2 in seller.stock. Back Market has no listing of this SKU: {ask}"
    assert _findings(listed) == {"stock_without_listing GODO": told}
    plan_quantities(listed, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=False)
    assert "stock_without_listing GODO" in _findings(listed), "a plan alone does not end it"
    assert _stock(listed, good=1) == 0
    assert "stock_without_listing GODO" not in _findings(listed)


def test_a_sku_is_unlisted_where_a_listing_that_it_feeds_is_missing(listed: psycopg.Connection[Any]) -> None:
    """By its own name, with the names that seller.sku_map gives it; rows of warehouses are one."""
    feeding = SkuMap([MapRow("A", "good"), MapRow("B", "GOOD"), MapRow("B", "Godo"), MapRow("GODO", "good")], ["BAD"])
    rows = [StockRow(sku, 1, NOW, warehouse=place) for sku in ("A", "B", "GODO", "BAD") for place in ("1", "2")]
    assert report_unlisted_stock(listed, "default", rows, feeding, market="fr-fr", log=LOG) == 1
    assert list(_findings(listed)) == ["stock_without_listing B"]
    assert "2 in seller.stock, for godo by seller.sku_map. Back" in _findings(listed)["stock_without_listing B"]


def test_a_price_without_a_listing_is_named_once_for_all_markets(listed: psycopg.Connection[Any]) -> None:
    """Beside what stock says of the same SKU."""
    _stock(listed, GODO=2)
    rows = [
        WantedPrice(sku, market, Decimal(1), "EUR", None) for sku in ("GODO", "GOOD") for market in ("fr-fr", "de-de")
    ]
    assert report_unlisted_prices(listed, "default", rows, SkuMap(), market="fr-fr", log=LOG) == 1
    found = _findings(listed)
    assert sorted(found) == ["price_without_listing GODO", "stock_without_listing GODO"]
    assert found["price_without_listing GODO"].startswith("priced for de-de, fr-fr. Back Market has no listing")


def test_the_stock_of_other_channels_is_not_listed_one_by_one(
    listed: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Of more than a hundred the log says how many, and a few."""
    with caplog.at_level(logging.WARNING):
        assert _stock(listed, **{f"OTHER-{number}": 1 for number in range(1500)}) == 1500
    (message,) = caplog.messages
    assert message == (
        "1,500 SKUs have no listing on Back Market (stock without listing), such as OTHER-0, OTHER-1, OTHER-2, "
        "OTHER-3, OTHER-4. So many are not listed one by one."
    )
    assert _findings(listed) == {}


def test_a_count_below_zero_shows_nothing_and_is_told(warehouse: psycopg.Connection[Any]) -> None:
    """What it means, too; it is over with the next count."""
    add_listing(warehouse, "GOOD")
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values ('GOOD', -2, %s)", [NOW])
    plan_quantities(warehouse, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=True)
    assert warehouse.execute("select wanted from backmarket.inventory").fetchall() == [(0,)]
    told = "seller.stock counts -2: 0 is shown; more was booked out than was there, so check the shelf"
    assert _findings(warehouse) == {"count_below_zero GOOD": told}
    warehouse.execute("update seller.stock set quantity = 0")
    plan_quantities(warehouse, "default", QuantitySettings(), now=NOW, run_id="r", allow_mass_zero=True)
    assert _findings(warehouse) == {}
