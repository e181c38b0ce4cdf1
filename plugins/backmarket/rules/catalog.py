"""Decides whether a row of ``seller.catalog`` may be sent to Back Market, and names everything that is wrong with it.

Sources: the spec's pages on listings and products; grades and the missing-comment rule were seen in production.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping  # noqa: TC003 - read at run time by the dataclass
from dataclasses import dataclass, field
from decimal import Decimal  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Any, Literal

from stdnum import ean as ean_code

from backmarket.rules.catalog_csv import can_be_written, written
from backmarket.rules.given_texts import shortened
from backmarket.rules.listing_review import GRADES
from backmarket.rules.skus import sku_key
from backmarket.rules.text_checks import decimals, is_number, is_uuid, is_web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["listing", "product"]

MOST_IMAGES = 6
SHORTEST_WARRANTY_MONTHS = 12
_LONGEST = {"sku": 255, "comment": 500, "title": 200, "brand": 100}
_LONGEST_URL = 1_000
_LONGEST_ATTRIBUTE = 200
# Optional for products of every category (spec, product model), so they may stand among the attributes.
_COMMON_ATTRIBUTES = frozenset({"width", "height", "depth"})
_EAN = re.compile(r"\d{8}|\d{12,13}")
_DECIMAL, _INTEGER, _STRING, _CHOICE = range(4)


@dataclass(frozen=True)
class CatalogRow:
    """A row of ``seller.catalog``: what the seller wants to be on sale.

    :param warranty_delay: in months.
    :param weight: in grams.
    :param images: URLs; whatever JSON stands in the table.
    :param attributes: of the leaf category, by field name; whatever JSON stands in the table.
    :param unreadable: why columns that are given cannot be read, by column; they are None here.
    """

    sku: str
    ean: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    market: str | None = None
    grade: str | None = None
    warranty_delay: int | None = None
    comment: str | None = None
    category_id: int | None = None
    title: str | None = None
    description: str | None = None
    brand: str | None = None
    price_new: Decimal | None = None
    weight: Decimal | None = None
    images: Any = None
    attributes: Any = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribute:
    """A column that products of a category may or must have.

    :param kind: 0 decimal, 1 integer, 2 text, 3 one of ``choices``.
    """

    field: str
    kind: int | None = _STRING
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class LeafCategory:
    """A category that products hang on.

    :param category_id: its ``marketplace_category_id``, which is what a product's ``category_id`` means.
    :param tree_id: its ``category_id`` in the tree, which people confuse with the former.
    """

    category_id: int
    tree_id: int | None = None
    name: str = ""
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True)
class MarketRules:
    """What a market asks of prices and products.

    :param decimals: most digits of a price after the point.
    :param categories: the leaves by ``category_id``; None where the tree is not known here.
    """

    currency: str
    decimals: int
    categories: Mapping[int, LeafCategory] | None = field(default=None, repr=False)


def kind_of(row: CatalogRow, *, products_on: bool) -> Kind:
    """Tell whether a row proposes a product with its listing, or only a listing of a product that exists.

    An EAN that Back Market knows wins over product columns (spec), so they do no harm. While products are switched off,
    such a row is sent as a listing by EAN, and Back Market refuses it where it does not know the EAN.
    """
    has_category = row.category_id is not None or "category_id" in row.unreadable
    proposes = not _text(row.product_id) and has_category
    return "product" if proposes and products_on else "listing"


def twins(skus: Iterable[str]) -> set[str]:
    """Return the SKUs, in lower case, that occur more than once: to Back Market ``ab-1`` and ``AB-1`` are the same."""
    return {sku for sku, times in Counter(sku_key(sku) for sku in skus).items() if times > 1}


def reasons_against(row: CatalogRow, kind: Kind, market: MarketRules | None, *, twin_skus: set[str]) -> list[str]:
    """Return every reason for which a row must not be sent; none means that it is ready.

    :param market: of the row's market; None where that is no market of the platform.
    :param twin_skus: as :func:`twins` answers.
    """
    reasons = [
        *row.unreadable.values(),
        *_sku(row, twin_skus),
        *_identity(row, kind),
        *_quantity(row),
        *_price(row, market),
        *_grade_and_warranty(row),
        *_too_long("comment", row.comment),
    ]
    if kind == "product":
        reasons += [*_product_texts(row), *_product_numbers(row, market), *_images(row), *_category(row, market)]
    return reasons


def _sku(row: CatalogRow, twin_skus: set[str]) -> Iterator[str]:
    if not _text(row.sku):
        yield "sku is empty"
    elif row.sku != row.sku.strip():
        yield "sku begins or ends with a blank"
    if sku_key(row.sku) in twin_skus:
        yield "sku occurs more than once: Back Market does not tell upper from lower case"
    yield from _too_long("sku", row.sku)


def _identity(row: CatalogRow, kind: Kind) -> Iterator[str]:
    ean, product_id = _text(row.ean), _text(row.product_id)
    if not ean and kind == "product":
        yield "ean is missing: a new product needs one"
    elif not ean and not product_id:
        yield "product_id and ean are both missing: one of them has to name the product"
    if ean and not _EAN.fullmatch(ean):
        yield f"ean {shortened(ean)} is not 8, 12 or 13 digits"
    elif ean and not ean_code.is_valid(ean):
        yield f"ean {ean} has a wrong check digit"
    if product_id and not product_id.isdecimal() and not is_uuid(product_id):
        yield f"product_id {shortened(product_id)} is neither a UUID nor a number"


def _quantity(row: CatalogRow) -> Iterator[str]:
    if row.quantity is None:
        if _is_missing(row, "quantity"):
            yield "quantity is missing"
    elif row.quantity < 0:
        yield f"quantity {row.quantity} is below 0"


def _price(row: CatalogRow, market: MarketRules | None) -> Iterator[str]:
    yield from _amount(row, "price", "price is missing", market)
    if market is None:
        yield f"market {shortened(row.market or '')} is no market of this account's platform"
    elif (_text(row.currency) or "").upper() != market.currency:
        yield f"currency {shortened(_text(row.currency) or 'is missing and')} is not {market.currency}, the market's"


def _amount(row: CatalogRow, column: str, missing: str, market: MarketRules | None) -> Iterator[str]:
    amount: Decimal | None = getattr(row, column)
    if amount is None:
        if _is_missing(row, column):
            yield missing
    elif not amount.is_finite() or amount <= 0:
        yield f"{column} {amount} is not above 0"
    elif market and decimals(amount) > market.decimals:
        yield f"{column} {amount} has more than {market.decimals} digits after the point"


def _grade_and_warranty(row: CatalogRow) -> Iterator[str]:
    grade = _text(row.grade)
    if not grade:
        yield "grade is missing: Back Market would take the article for GOOD"
    elif grade.upper() not in GRADES:
        yield f"grade {shortened(grade)} is none of {', '.join(GRADES)}"
    if row.warranty_delay is None:
        if _is_missing(row, "warranty_delay"):
            yield "warranty_delay is missing"
    elif row.warranty_delay < SHORTEST_WARRANTY_MONTHS:
        yield f"warranty_delay {row.warranty_delay} is below {SHORTEST_WARRANTY_MONTHS} months"


def _product_texts(row: CatalogRow) -> Iterator[str]:
    for name in ("title", "description", "brand"):
        value = getattr(row, name)
        if not _text(value):
            yield f"{name} is missing: a new product needs it"
        yield from _too_long(name, value)


def _product_numbers(row: CatalogRow, market: MarketRules | None) -> Iterator[str]:
    yield from _amount(row, "price_new", "price_new is missing: a new product needs it", market)
    if row.weight is None:
        if _is_missing(row, "weight"):
            yield "weight is missing: a new product needs it"
    elif not row.weight.is_finite() or row.weight != row.weight.to_integral_value() or row.weight <= 1:
        yield f"weight {row.weight} is not a whole number of grams above 1"


def _images(row: CatalogRow) -> Iterator[str]:
    if "images" in row.unreadable:
        return
    images = [] if row.images is None else row.images
    if not isinstance(images, list):
        yield "images is not a list of URLs"
        return
    if not images:
        yield "images is empty: a new product needs at least one"
    if len(images) > MOST_IMAGES:
        yield f"images holds {len(images)} URLs, at most {MOST_IMAGES} are taken"
    for number, image in enumerate(images, start=1):
        if not isinstance(image, str) or not is_web_address(image):
            yield f"image {number} is '{shortened(str(image))}': an http or https URL is needed"
        elif len(image) > _LONGEST_URL:
            yield f"image {number} is longer than {_LONGEST_URL} characters"


def _category(row: CatalogRow, market: MarketRules | None) -> Iterator[str]:
    given = {} if row.attributes is None else row.attributes
    if not isinstance(given, dict):
        yield "attributes is not a JSON object"
        given = {}
    if market is None or {"category_id", "attributes"} & row.unreadable.keys():
        return
    if market.categories is None:
        yield "the categories of its market could not be read yet: the next run asks for them again"
        return
    leaf = market.categories.get(row.category_id or 0)
    if leaf is None:
        yield f"category_id {row.category_id} is no leaf category{_hint(row.category_id, market.categories)}"
        return
    yield from _attributes(given, leaf)


def _attributes(given: Mapping[str, Any], leaf: LeafCategory) -> Iterator[str]:
    readable = {name: value for name, value in given.items() if can_be_written(value)}
    unreadable = [name for name in given if name not in readable]
    for name in unreadable:
        yield f"attribute {name} is a list or an object: a text, a number, true or false is needed"
    for attribute in leaf.attributes:
        # As it will be sent: JSON's true is written so, and Python's name of it is not.
        if value := written(readable.get(attribute.field)):
            yield from _attribute_value(attribute, value)
        elif attribute.required and attribute.field not in unreadable:
            yield f"attribute {attribute.field} is missing: category {leaf.category_id} ({leaf.name}) asks for it"
    known = [attribute.field for attribute in leaf.attributes]
    for name in given:
        if name not in known and name not in _COMMON_ATTRIBUTES:
            yield f"attribute {name} is unknown to category {leaf.category_id}; it knows {', '.join(known) or 'none'}"


def _hint(category_id: int | None, categories: Mapping[int, LeafCategory]) -> str:
    meant = next((leaf for leaf in categories.values() if leaf.tree_id == category_id), None)
    return f": of {meant.name} the marketplace_category_id {meant.category_id} is to be given" if meant else ""


def _attribute_value(attribute: Attribute, value: str) -> Iterator[str]:
    if len(value) > _LONGEST_ATTRIBUTE:
        yield f"attribute {attribute.field} is longer than {_LONGEST_ATTRIBUTE} characters"
    elif attribute.kind == _CHOICE and attribute.choices and value not in attribute.choices:
        yield f"attribute {attribute.field} {shortened(value)} is none of {', '.join(attribute.choices)}"
    elif attribute.kind == _INTEGER and not re.fullmatch(r"[+-]?\d+", value):
        yield f"attribute {attribute.field} {shortened(value)} is not a whole number"
    elif attribute.kind == _DECIMAL and not is_number(value):
        yield f"attribute {attribute.field} {shortened(value)} is not a number"


def _too_long(name: str, value: str | None) -> Iterator[str]:
    # The spec sets no limit on the description.
    if value is not None and name in _LONGEST and len(value) > _LONGEST[name]:
        yield f"{name} is longer than {_LONGEST[name]} characters ({len(value)})"


def _is_missing(row: CatalogRow, column: str) -> bool:
    """Tell whether a column is not given at all; one that cannot be read has a reason of its own."""
    return getattr(row, column) is None and column not in row.unreadable


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None
