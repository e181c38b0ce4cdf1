"""What a seller may change on a listing, one at a time or by batch, and the refusals."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.listings.model import Listing, Offer
from sandbox.markets import Market, Platform, minor_units, money
from sandbox.orders.shippers import SHIPPERS

_LONGEST_COMMENT = 500
_SHORTEST_WARRANTY = 12
_HIGHEST_QUANTITY = 100_000


class InvalidListingError(Exception):
    """The change is refused; the text is what the seller is told. Nothing is applied."""


def change_listing(listing: Listing, market: Market, platform: Platform, fields: Mapping[str, Any]) -> list[str]:
    """Apply the given fields; quantity and warranty count everywhere, the rest in one market.

    Gives the remarks on shippings. A price above the maximum is accepted and takes the offer offline; that
    follows from the data and needs no rule here.
    """
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    quantity = _whole(given, "quantity", 0, _HIGHEST_QUANTITY)
    warranty = _whole(given, "warranty_delay", _SHORTEST_WARRANTY, 120)
    price = _price(given, "price", market)
    min_price = _price(given, "min_price", market)
    if price is not None:
        _check_currency(given, market, platform)
    comment = given.get("comment")
    if comment is not None and len(str(comment)) > _LONGEST_COMMENT:
        raise InvalidListingError(f"comment is longer than {_LONGEST_COMMENT} characters")
    shippings = _shippings(given, market)

    if quantity is not None:
        listing.show_quantity(quantity)
    listing.warranty_delay = warranty or listing.warranty_delay
    if {"price", "min_price", "comment"} & set(fields) or shippings:
        offer = listing.offers.setdefault(market.code, _new_offer(listing, market, platform, price))
        offer.price = price or offer.price
        offer.min_price = min_price or (offer.min_price if fields.get("min_price", "") == "" else None)
        offer.comment = offer.comment if comment is None else str(comment)
        offer.shippings = shippings or offer.shippings
    return [f"Shipping method {place} ({each['shipper']}) updated" for place, each in enumerate(shippings, 1)]


def _whole(given: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    if name not in given:
        return None
    text = str(given[name]).strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        raise InvalidListingError(f"{name} {text} is not a whole number from {least} to {most}")
    return int(text)


def _price(given: Mapping[str, Any], name: str, market: Market) -> str | None:
    if name not in given:
        return None
    try:
        amount = Decimal(str(given[name]).strip())
    except InvalidOperation:
        raise InvalidListingError(f"{name} {given[name]} is not a number") from None
    if not amount.is_finite() or amount <= 0:
        raise InvalidListingError(f"{name} {given[name]} is not above zero")
    return money(minor_units(float(amount), market.currency), market.currency)


def _check_currency(given: Mapping[str, Any], market: Market, platform: Platform) -> None:
    """Without a currency the platform's own is meant, which is wrong in London or Stockholm."""
    currency = str(given.get("currency", platform.home.currency)).upper()
    if currency != market.currency:
        raise InvalidListingError(f"currency {currency} does not match {market.currency} of {market.code}")


def _new_offer(listing: Listing, market: Market, platform: Platform, price: str | None) -> Offer:
    home = listing.offers.get(platform.home.code)
    if home is not None:
        highest = float(home.max_price) * market.rate / platform.home.rate
    else:
        highest = float(price or 1000) * 1.25
    return Offer(market.currency, money(minor_units(highest, market.currency), market.currency))


def _shippings(given: Mapping[str, Any], market: Market) -> list[dict[str, Any]]:
    shippings = []
    for place in (1, 2, 3):
        shipper = given.get(f"shipper_{place}")
        if shipper is None:
            continue
        if shipper not in SHIPPERS:
            raise InvalidListingError(f"shipper_{place} {shipper} not found")
        shippings.append(
            {
                "country_code": market.code,
                "shipper": shipper,
                "shipper_display": given.get(f"shipper_display_{place}", shipper),
                "shipping_delay": _whole(given, f"shipping_delay_{place}", 0, 1000) or 48,
                "shipping_price": _price(given, f"shipping_price_{place}", market) or money(0, market.currency),
            }
        )
    return shippings
