"""Carrying out one catalog CSV: listings updated, listings created, products proposed, row by row."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from sandbox.catalog.batches import DONE, FAILED, Batch
from sandbox.catalog.categories import LEAF_OF_PRODUCTS, MULTIPLE_CHOICE
from sandbox.dice import dice, random_uuid
from sandbox.listings.model import GRADES, Listing
from sandbox.listings.rules import InvalidListingError, change_listing
from sandbox.world import World

Row = Mapping[str, str]

_PRODUCT_COLUMNS = ("ean", "title", "description", "brand", "price_new")


class InvalidCatalogError(Exception):
    """The CSV as a whole cannot be read."""


def read_catalog(text: str, delimiter: str, quotechar: str) -> list[Row]:
    """Read the rows of a catalog; column names are trimmed and lower-cased."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=delimiter, quotechar=quotechar, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise InvalidCatalogError(f"The catalog is not a CSV: {error}.") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if "sku" not in header:
        raise InvalidCatalogError("Column sku is missing.")
    return [dict(zip(header, row, strict=False)) for row in rows[1:]]


def run_batch(world: World, batch: Batch, rows: list[Row], refused_sku: str | None = None) -> None:
    """Carry out all rows; a bad one is reported under its SKU and does not stop the others.

    `refused_sku` is bad whatever it says: a fault that a test switched on.
    """
    if world.batches.get(batch.task_id) is not batch:
        return  # the sandbox was reset meanwhile
    success: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        sku = row.get("sku", "").strip()
        key = sku or f"line {number}"
        if sku == refused_sku:
            errors[key] = "The line could not be processed."
            continue
        try:
            success[key] = _carry_out(world, batch.market, sku, row)
        except InvalidListingError as refusal:
            errors[key] = str(refusal)
    batch.result = {"product_success": success, "product_errors": errors}
    batch.action_status = DONE
    world.batches.save(batch)


def fail_batch(world: World, batch: Batch, reason: str) -> None:
    """End a batch without having applied any of it."""
    batch.action_status, batch.last_action_error = FAILED, reason
    world.batches.save(batch)


def _carry_out(world: World, market_code: str, sku: str, row: Row) -> dict[str, Any]:
    if not sku:
        raise InvalidListingError("sku is missing")
    market = world.platform.markets[market_code]
    grade = _grade(row)
    listing = world.listings.by_sku(sku)
    created = listing is None
    if listing is None:
        if not row.get("price", "").strip() or not row.get("quantity", "").strip():
            raise InvalidListingError("price and quantity are needed for a new listing")
        listing = _sibling(world, sku, row) or _with_new_product(world, sku, row)
    change_listing(listing, market, world.platform, row)
    if row.get("grade", "").strip():
        listing.grade = grade
    world.listings.save(listing)
    return {"id": listing.id, "listing_id": listing.listing_id, "sku": listing.sku, "created": created}


def _grade(row: Row) -> str:
    text = row.get("grade", "").strip().upper() or "GOOD"
    names = {**{name: name for name in GRADES}, **{str(state): name for name, state in GRADES.items()}}
    if text not in names:
        raise InvalidListingError(f"grade {text} is none of {', '.join(GRADES)}")
    return names[text]


def _sibling(world: World, sku: str, row: Row) -> Listing | None:
    """Make a listing of a product that exists; product_id goes before ean."""
    wanted, ean = row.get("product_id", "").strip(), row.get("ean", "").strip()
    if wanted:
        known = next((x for x in world.listings if wanted in {x.product_id, str(x.backmarket_id)}), None)
        if known is None:
            raise InvalidListingError(f"product {wanted} not found")
    else:
        known = next((x for x in world.listings if ean and x.ean == ean), None)
    if known is None:
        return None
    return Listing(
        **_identity(world, sku, row),
        product_id=known.product_id,
        backmarket_id=known.backmarket_id,
        title=known.title,
        brand=known.brand,
        ean=known.ean,
        category=known.category,
        fee_percent=known.fee_percent,
        pending=known.pending,
    )


def _with_new_product(world: World, sku: str, row: Row) -> Listing:
    """Propose a product; until Back Market's people approve it, its listing is pending."""
    if not row.get("category_id", "").strip():
        raise InvalidListingError("no product matches: give product_id, a known ean, or category_id and a product")
    leaf = LEAF_OF_PRODUCTS.get(int(row["category_id"])) if row["category_id"].strip().isdecimal() else None
    if leaf is None:
        raise InvalidListingError(f"category_id {row['category_id']} is not a leaf category")
    required = [each["field"] for each in leaf["attributes"] if each["required"]]
    missing = [name for name in (*_PRODUCT_COLUMNS, *required) if not row.get(name, "").strip()]
    if missing:
        raise InvalidListingError(f"missing for a new product: {', '.join(missing)}")
    _check_choices(leaf, row)
    rng = dice(world.config.seed, world.listings.next_number() + 1)
    return Listing(
        **_identity(world, sku, row),
        product_id=random_uuid(rng),
        backmarket_id=max((x.backmarket_id for x in world.listings), default=51_000) + 1,
        title=row["title"],
        brand=row["brand"],
        ean=row["ean"].strip(),
        category=int(row["category_id"]),
        fee_percent=10,
        pending=True,
    )


def _check_choices(leaf: dict[str, Any], row: Row) -> None:
    for attribute in leaf["attributes"]:
        value = row.get(attribute["field"], "").strip()
        allowed = [each.strip() for each in attribute["allowed_values"].split(",")]
        if attribute["type"] == MULTIPLE_CHOICE and value and value not in allowed:
            raise InvalidListingError(f"{attribute['field']} {value} is none of {', '.join(allowed)}")


def _identity(world: World, sku: str, row: Row) -> dict[str, Any]:
    number = world.listings.next_number()
    return {
        "id": random_uuid(dice(world.config.seed, number)),
        "listing_id": number,
        "sku": sku,
        "grade": _grade(row),
        "quantity": 0,
        "new_battery": row.get("new_battery", "").strip().lower() == "true",
    }
