"""Seeded listings: a mixture of grades, stocks and publication states, priced per market."""

from random import Random

from sandbox.dice import dice, ean_digit, random_uuid
from sandbox.listings.model import Listing, Offer
from sandbox.listings.products import PRODUCTS, Product
from sandbox.markets import Market, Platform, minor_units, money

FIRST_LISTING_ID = 2_400_001
FIRST_PRODUCT_ID = 51_001

_GRADES = (("GOOD", "C", 0.92), ("VERY_GOOD", "B", 1.0), ("EXCELLENT", "A", 1.09), ("FAIR", "D", 0.84))
_COMMENTS = (
    "Tested on 42 points, with charger",
    "Livré avec câble, batterie > 85 %",
    'Wie neu; inkl. "Zubehör"',
    "Fully working; battery 80%+, ships today",
)


def seed_listings(seed: int, platform: Platform, count: int, stock: int | None) -> list[Listing]:
    """Make `count` listings; the first ones do not depend on how many follow."""
    return [_listing(dice(seed, -1 - number), platform, number, stock) for number in range(count)]


def _listing(rng: Random, platform: Platform, number: int, stock: int | None) -> Listing:
    product = PRODUCTS[number % len(PRODUCTS)]
    variant, grade_no = divmod(number // len(PRODUCTS), len(_GRADES))
    grade, suffix, factor = _GRADES[grade_no]
    product_dice = dice(number % len(PRODUCTS), 0)
    ean_body = f"{190_000_000_000 + number % len(PRODUCTS) * 7_919:012d}"
    listing = Listing(
        id=random_uuid(rng),
        listing_id=FIRST_LISTING_ID + number,
        product_id=random_uuid(product_dice),
        backmarket_id=FIRST_PRODUCT_ID + number % len(PRODUCTS),
        title=product.title,
        brand=product.brand,
        ean=f"{ean_body}{ean_digit(ean_body)}",
        category=product.category,
        fee_percent=product.fee_percent,
        sku=_sku(product, suffix, variant),
        grade=grade,
        quantity=_quantity(rng, number, stock),
        warranty_delay=24 if number % 9 == 0 else 12,
        new_battery=number % 31 == 0,
        pending=number % 40 == 17,
        deactivated=number % 60 == 43,
        max_price_number=number % 25 == 3,
    )
    for market in platform.markets.values():
        if market == platform.home or rng.random() < 0.9:
            listing.offers[market.code] = _offer(rng, market, product.price * factor, number)
    return listing


def _sku(product: Product, suffix: str, variant: int) -> str:
    sku = f"{product.sku}-{suffix}" if not variant else f"{product.sku}-{suffix}{variant:02d}"
    return sku.lower() if variant % 5 == 4 else sku


def _quantity(rng: Random, number: int, stock: int | None) -> int:
    if stock is not None:
        return stock
    if number % 12 == 11:
        return 0
    return rng.choice((1, 1, 2, 3, 5, 8, 13, 25, 60))


def _offer(rng: Random, market: Market, price: float, number: int) -> Offer:
    local = price * market.rate * rng.uniform(0.97, 1.04)
    whole = int(local) + 0.99 if market.currency != "JPY" else round(local, -2)
    highest = whole * (0.9 if number % 50 == 27 else 1.25)

    def text(amount: float) -> str:
        return money(minor_units(amount, market.currency), market.currency)

    return Offer(
        currency=market.currency,
        max_price=text(highest),
        price=text(whole),
        comment=None if number % 35 == 29 else rng.choice(_COMMENTS),
        min_price=text(whole * 0.95) if number % 4 == 1 else None,
        shippings=_shippings(market) if number % 6 == 0 else [],
    )


def _shippings(market: Market) -> list[dict[str, object]]:
    return [
        {
            "country_code": market.code,
            "shipper": "DHL Express",
            "shipper_display": "DHL Express",
            "shipping_delay": 24,
            "shipping_price": money(minor_units(4.99 * market.rate, market.currency), market.currency),
        }
    ]
