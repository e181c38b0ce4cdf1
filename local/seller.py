"""What a seller's own systems and people do, so that the demo has work: from catalog to statements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb
from stdnum import luhn

from backmarket.settings import SMARTPHONES
from local.variables import SETTLEMENT_INBOX
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from local.stack import Stack

# One that is fit to be listed, one that needs a new product, and one in which every rule is broken.
_CATALOG: tuple[dict[str, Any], ...] = (
    {
        "sku": "DEMO-LISTING",
        "product_id": "51003",
        "quantity": 4,
        "price": "299.00",
        "currency": "EUR",
        "market": "fr-fr",
        "grade": "FAIR",
        "warranty_delay": 12,
        "comment": "Testé, batterie à 92 %",
    },
    {
        "sku": "DEMO-PRODUCT",
        "ean": "4006381333931",
        "quantity": 2,
        "price": "199.00",
        "currency": "EUR",
        "market": "fr-fr",
        "grade": "GOOD",
        "warranty_delay": 12,
        "category_id": 101,
        "title": "Téléphone X",
        "description": "Reconditionné en France",
        "brand": "Exemple",
        "price_new": "399.00",
        "weight": 180,
        "images": Jsonb(["https://images.example.com/1.jpg"]),
        "attributes": Jsonb({"color": "Bleu", "storage": 64, "unlocked": "Unlocked GSM"}),
    },
    {
        "sku": "DEMO-BROKEN",
        "ean": "4006381333932",
        "quantity": -1,
        "price": "0",
        "currency": "USD",
        "market": "fr-fr",
        "grade": "SHINY",
        "warranty_delay": 6,
    },
)

# As many units as Back Market shows and open orders still need; every ninth SKU has sold out elsewhere, every
# seventh got two more.
_COUNT_STOCK = """
    insert into seller.stock (account, sku, quantity, counted_at)
    select
        listing.account,
        listing.sku,
        case
            when abs(hashtext(listing.sku)) % 9 = 0 then 0
            when abs(hashtext(listing.sku)) % 7 = 0 then coalesce(listing.quantity, 0) + 2
            else coalesce(listing.quantity, 0)
        end + coalesce(open.units, 0),
        now()
    from backmarket.listings as listing
    left join lateral (
        select sum(line.quantity) as units
        from backmarket.order_lines as line
        where
            line.account = listing.account
            and lower(line.sku) = lower(listing.sku)
            and line.state in (0, 1, 8, 9)
            and line.gone_at is null
    ) as open on true
    where listing.sku is not null and listing.gone_at is null
    on conflict (account, sku, warehouse) do update set quantity = excluded.quantity, counted_at = excluded.counted_at
"""

# Most prices stay; every fifth falls by three per cent, and a few by so much that a person has to agree.
_SET_PRICES = """
    insert into seller.prices (account, sku, market, price, currency)
    select
        offer.account,
        listing.sku,
        offer.market,
        round(
            offer.price * case
                when abs(hashtext(listing.sku)) % 37 = 0 then 0.6
                when abs(hashtext(listing.sku)) % 5 = 0 then 0.97
                else 1
            end,
            2
        ),
        offer.currency
    from backmarket.listing_offers as offer
    inner join backmarket.listings as listing on offer.account = listing.account and offer.id = listing.id
    where offer.price > 0 and listing.sku is not null and offer.gone_at is null
    on conflict (account, sku, market) do nothing
"""

_SHIP = """
    insert into seller.shipments (account, order_id, tracking_number, tracking_url, shipper, shipped_at)
    select account, order_id, 'DEMO' || order_id, 'https://track.example.com/' || order_id, 'dhl express', now()
    from backmarket.orders as shipped
    where
        state = 3
        and not coalesce(is_backship, false)
        and exists (
            select 1
            from backmarket.order_lines as line
            where line.account = shipped.account and line.order_id = shipped.order_id and line.state = 2
        )
        and not exists (
            select 1
            from seller.shipments as known
            where known.account = shipped.account and known.order_id = shipped.order_id
        )
    returning order_id
"""

_LINES = """
    select account, order_id, orderline_id, sku, coalesce(product, '')
    from backmarket.order_lines
    where order_id = any(%s) and state = 2 and quantity = 1 and imei is null and serial_number is null
    order by orderline_id
"""


def propose_catalog(stack: Stack) -> None:
    """Fill ``seller.catalog``: three articles that are not on sale yet."""
    with psycopg.connect(stack.warehouse_uri) as connection:
        for article in _CATALOG:
            columns = ", ".join(article)
            values = ", ".join(f"%({name})s" for name in article)
            statement = f"insert into seller.catalog ({columns}) values ({values}) on conflict do nothing"  # noqa: S608
            connection.execute(statement.encode(), article)


def count_stock_and_set_prices(stack: Stack) -> None:
    """Fill ``seller.stock`` and ``seller.prices`` from what is on sale, with some changes."""
    with psycopg.connect(stack.warehouse_uri) as connection:
        connection.execute(_COUNT_STOCK)
        connection.execute(_SET_PRICES)


def ship_accepted_orders(stack: Stack) -> None:
    """Fill ``seller.shipments`` and ``seller.devices`` for every order that waits for its parcel."""
    with psycopg.connect(stack.warehouse_uri) as connection:
        order_ids = [order_id for (order_id,) in connection.execute(_SHIP).fetchall()]
        lines = connection.execute(_LINES, [order_ids]).fetchall()
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into seller.devices (account, order_id, orderline_id, sku, imei, serial_number)"
                " values (%s, %s, %s, %s, %s, %s)",
                [(*line, *_identifiers(line[2], product)) for *line, product in lines],
            )


def export_statements(stack: Stack) -> None:
    """Put the settlement statements of all completed weeks into the inbox, with a difference of every kind."""
    Sandbox(stack.sandbox_url).write_statements(SETTLEMENT_INBOX, planted=True)


def _identifiers(orderline_id: int, product: str) -> tuple[str | None, str | None]:
    """Make up the IMEI of a smartphone, 14 digits and their check digit, or the serial number of anything else."""
    if not re.search(SMARTPHONES, product):
        return None, f"SN-{orderline_id}"
    number = str(35_000_000_000_000 + orderline_id % 10_000_000_000)
    return f"{number}{luhn.calc_check_digit(number)}", None
