"""What a seller's systems and a customer do, so that the demo has work: from a catalog to a device that comes back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString

import pandas as pd
import psycopg
from stdnum import luhn

from backmarket.settings import SMARTPHONES
from local.variables import INVOICES, SELLER, SETTLEMENTS
from sandbox.orders.model import LINE_SHIPPED, PROCESSED
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from local.stack import Stack
    from sandbox.remote import Json

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
        "images": ["https://images.example.com/1.jpg"],
        "attributes": {"color": "Bleu", "storage": 64, "unlocked": "Unlocked GSM"},
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
_STOCK = """
    select
        listing.sku,
        case
            when abs(hashtext(listing.sku)) % 9 = 0 then 0
            when abs(hashtext(listing.sku)) % 7 = 0 then coalesce(listing.quantity, 0) + 2
            else coalesce(listing.quantity, 0)
        end + coalesce(open.units, 0) as quantity
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
    order by listing.sku
"""

# Most prices stay; every fifth falls by three per cent, and a few by so much that a person has to agree.
_PRICES = """
    select
        listing.sku,
        offer.market,
        coalesce(
            known.price,
            round(
                offer.price * case
                    when abs(hashtext(listing.sku)) % 37 = 0 then 0.6
                    when abs(hashtext(listing.sku)) % 5 = 0 then 0.97
                    else 1
                end,
                2
            )
        ) as price,
        coalesce(known.currency, offer.currency) as currency
    from backmarket.listing_offers as offer
    inner join backmarket.listings as listing on offer.account = listing.account and offer.id = listing.id
    left join seller.prices as known
        on known.account = offer.account and known.sku = listing.sku and known.market = offer.market
    where offer.price > 0 and listing.sku is not null and offer.gone_at is null
    order by listing.sku, offer.market
"""

# Used devices bought for three fifths of what they are sold for, a few of them for nearly as much as that, in the
# market's own currency at home. One in ten was forgotten.
_COSTS = """
    select
        listing.sku,
        round(min(offer.price) * case when abs(hashtext(listing.sku)) % 6 = 0 then 0.75 else 0.6 end, 2) as unit_cost,
        'EUR' as currency,
        'margin' as vat_scheme
    from backmarket.listings as listing
    inner join backmarket.listing_offers as offer on listing.account = offer.account and listing.id = offer.id
    where offer.currency = 'EUR' and offer.price > 0 and listing.sku is not null and abs(hashtext(listing.sku)) % 10 > 0
    group by listing.sku
    order by listing.sku
"""

_PARCELS = """
    select
        order_id,
        'DEMO' || order_id as tracking_number,
        'https://track.example.com/' || order_id as tracking_url,
        'dhl express' as shipper
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
    order by order_id
"""

_DEVICES = """
    select order_id, orderline_id, sku, coalesce(product, '') as product
    from backmarket.order_lines
    where order_id = any(%s) and state = 2 and quantity = 1 and imei is null and serial_number is null
    order by orderline_id
"""

_REFUND = """
    insert into seller.refunds (order_id, orderline_id, kind, amount, currency)
    values (%s, %s, 'refund', %s, %s)
"""

# A PDF document of one empty page.
_INVOICE = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj
trailer<</Root 1 0 R>>
"""


def propose_catalog(stack: Stack) -> None:
    """Export three articles that are not on sale yet, as JSON lines."""
    pd.DataFrame(_CATALOG, dtype=object).to_json(stack.inbox / SELLER / "catalog.jsonl", orient="records", lines=True)


def count_stock_and_set_prices(stack: Stack) -> None:
    """Save what is on the shelf as a workbook with a title, and export prices as Excel does in Germany."""
    now = datetime.now(UTC)
    stock = _read(stack, _STOCK).assign(counted_at=now.replace(tzinfo=None, microsecond=0))
    with pd.ExcelWriter(stack.inbox / SELLER / "stock.xlsx", engine="openpyxl") as book:
        pd.DataFrame([f"Stock on {now:%d %B %Y}"]).to_excel(book, sheet_name="Stock", index=False, header=False)
        stock.to_excel(book, sheet_name="Stock", index=False, startrow=2)
    prices = _read(stack, _PRICES)
    prices["price"] = prices["price"].map(lambda price: str(price).replace(".", ","))
    prices.columns = pd.Index(["Artikelnummer", "Markt", "Verkaufspreis", "Währung"])
    prices.to_csv(stack.inbox / SELLER / "prices.csv", sep=";", index=False, encoding="cp1252")


def ship_accepted_orders(stack: Stack) -> None:
    """Export a parcel of every order that waits for one, as Parquet, and its devices, as packed CSV."""
    now = datetime.now(UTC)
    parcels = _read(stack, _PARCELS).assign(shipped_at=now)
    if parcels.empty:
        return
    # Each export says what was shipped since the one before it, so each has a name of its own.
    parcels.to_parquet(stack.inbox / SELLER / f"shipments_{now:%Y%m%dT%H%M%S}.parquet", index=False)
    devices = _read(stack, _DEVICES, [parcels["order_id"].tolist()])
    numbers = [
        _identifiers(line, product)
        for line, product in devices[["orderline_id", "product"]].itertuples(index=False, name=None)
    ]
    devices[["imei", "serial_number"]] = pd.DataFrame(numbers, columns=["imei", "serial_number"], dtype=object)
    devices.drop(columns="product").to_csv(stack.inbox / SELLER / f"devices_{now:%Y%m%dT%H%M%S}.csv.gz", index=False)


def tell_costs(stack: Stack) -> None:
    """Export what devices cost, and save the European Central Bank's rates of the day as they come."""
    _read(stack, _COSTS).to_csv(stack.inbox / SELLER / "costs.csv", index=False)
    today = datetime.now(UTC)
    (stack.inbox / SELLER / "eurofxref.csv").write_text(
        f"Date, USD, JPY, GBP, SEK, AUD, \n{today:%-d %B %Y}, 1.0871, 169.42, 0.8605, 11.243, 1.6352, \n"
    )


def take_a_device_back(stack: Stack) -> None:
    """Let a customer complain and send a device back, ask for its refund and a part of another's, invoice a third."""
    sandbox = Sandbox(stack.sandbox_url)
    returned, spoilt, invoiced = _untroubled(sandbox)[:3]
    (line,) = returned["orderlines"]
    sandbox.open_care_folder(line["id"], "Hello, the battery is empty after two hours.", return_label="ALIVE")
    now = datetime.now(UTC)
    sandbox.create_return(line["id"], created=now, picked_up=now, delivered=now)
    with psycopg.connect(stack.warehouse_uri) as connection:
        connection.execute(_REFUND, [returned["order_id"], line["id"], None, None])
        connection.execute(_REFUND, [spoilt["order_id"], None, "12.50", spoilt["currency"]])
    # Each invoice is another: it says whose it is.
    invoice = _INVOICE + f"% order {invoiced['order_id']}\n%%EOF\n".encode()
    (stack.inbox / INVOICES / f"invoice-{invoiced['order_id']}.pdf").write_bytes(invoice)


def export_statements(stack: Stack) -> None:
    """Put settlement statements up to today into the inbox, with a difference of every kind in completed weeks."""
    Sandbox(stack.sandbox_url).write_statements(stack.inbox / SETTLEMENTS, planted=True, week_under_way=True)


def _untroubled(sandbox: Sandbox) -> list[Json]:
    """Return orders of one delivered device that nobody has complained of, nor been paid back for, newest first."""
    after_sales = (*sandbox.care_folders(), *sandbox.returns(), *sandbox.refunds(), *sandbox.invoices())
    troubled = {each["order_id"] for each in after_sales}
    return [
        order
        for order in reversed(sandbox.orders())
        if (order["state"], order["currency"]) == (PROCESSED, "EUR")
        and order["order_id"] not in troubled
        and [(line["state"], line["quantity"]) for line in order["orderlines"]] == [(LINE_SHIPPED, 1)]
    ]


def _read(stack: Stack, query: LiteralString, parameters: list[Any] | None = None) -> pd.DataFrame:
    """Return what the seller's systems would know by themselves."""
    with psycopg.connect(stack.warehouse_uri) as connection:
        cursor = connection.execute(query, parameters)
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or ()])


def _identifiers(orderline_id: int, product: str) -> tuple[str | None, str | None]:
    """Make up the IMEI of a smartphone, 14 digits and their check digit, or the serial number of anything else."""
    if not re.search(SMARTPHONES, product):
        return None, f"SN-{orderline_id}"
    number = str(35_000_000_000_000 + orderline_id % 10_000_000_000)
    return f"{number}{luhn.calc_check_digit(number)}", None
