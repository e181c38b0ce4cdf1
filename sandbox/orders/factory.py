"""Builds one order document from a plan; every field as production shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sandbox.clock import DAY, HOUR, MINUTE, DateStyle, write_date
from sandbox.dice import random_imei
from sandbox.listings.model import Listing
from sandbox.markets import Market, minor_units, money
from sandbox.orders.model import (
    LINE_AWAITING_PAYMENT,
    LINE_NEW,
    LINE_REFUNDED_AFTER,
    LINE_SHIPPED,
    LINE_UNPAID,
    LINES_PER_ORDER,
    Document,
)
from sandbox.orders.people import camel_case, make_address

_STYLES: tuple[DateStyle, ...] = ("z", "z", "z", "z", "z", "z", "z", "offset", "offset", "naive")
_METHODS = ("CARD", "CARD", "CARD", "PAYPAL", "PAYPAL", "APPLE_PAY", "KLARNA", "SCALAPAY", "ONEY", "CARD_3X")
_SHIPPERS = ("Colissimo", "DHL Express", "UPS", "Chronopost", "DPD FR", "GLS", "Royal Mail", "Post NL")
_UNCLEAR = frozenset({LINE_NEW, LINE_AWAITING_PAYMENT, LINE_UNPAID})
_SENT = frozenset({LINE_SHIPPED, LINE_REFUNDED_AFTER})


@dataclass(slots=True)
class LinePlan:
    """One line to build; `price` overrides the listing's own."""

    listing: Listing
    state: int
    quantity: int = 1
    price: str | None = None


@dataclass(slots=True)
class OrderPlan:
    """One order to build; the moments are microseconds."""

    order_id: int
    market: Market
    state: int
    lines: list[LinePlan]
    created: int
    now: int
    is_backship: bool = False
    overrides: Document = field(default_factory=dict)


class _Dates:
    """The order's moments, in the order in which they happen, none later than now."""

    def __init__(self, rng: Random, plan: OrderPlan) -> None:
        states = {line.state for line in plan.lines}
        room = max(plan.now - plan.created, 0)
        paid = plan.created + min(rng.randrange(2 * MINUTE, 90 * MINUTE), room // 3)
        shipped = paid + min(rng.randrange(4 * HOUR, 44 * HOUR), room // 3)
        self.payment = None if states <= _UNCLEAR else paid
        self.shipping = shipped if states & _SENT else None
        latest = self.shipping or self.payment or plan.created
        if plan.state == 9:
            latest += min(rng.randrange(HOUR, 6 * DAY), room // 3)
        self.modification = latest
        self.dispatch = None if self.shipping else plan.created + 2 * DAY


def build_order(rng: Random, plan: OrderPlan) -> Document:
    """Build the document; everything not in the plan is drawn from `rng`."""
    dates = _Dates(rng, plan)
    style, fraction = rng.choice(_STYLES), rng.random() < 0.3

    def date(moment: int | None) -> str | None:
        return None if moment is None else write_date(moment, style, fraction=fraction)

    created = write_date(plan.created, style, fraction=fraction)
    shipping_cents = minor_units(4.99 * plan.market.rate, plan.market.currency) if rng.random() < 0.1 else 0
    lines = [_line(rng, plan, place, line, created, shipping_cents) for place, line in enumerate(plan.lines, start=1)]
    address = make_address(rng, plan.market, plan.order_id)
    billing = address if rng.random() < 0.8 else make_address(rng, plan.market, plan.order_id + 7)
    camel = rng.random() < 0.05
    method = rng.choice(_METHODS)
    sent = dates.shipping is not None
    shipper = "Backship" if plan.is_backship else rng.choice(_SHIPPERS)
    tracking = f"{rng.choice('6XCJR')}{rng.randrange(10**12):012d}FR" if sent else ""
    document: Document = {
        "order_id": plan.order_id,
        "state": plan.state,
        "date_creation": created,
        "date_modification": date(dates.modification),
        "date_payment": date(dates.payment),
        "date_shipping": date(dates.shipping),
        "expected_dispatch_date": date(dates.dispatch),
        "date_bill_provided": date(dates.shipping) if sent and rng.random() < 0.3 else None,
        "country_code": plan.market.code,
        "currency": plan.market.currency,
        "price": money(sum_of_lines(plan.lines, plan.market), plan.market.currency),
        "shipping_price": money(shipping_cents * sum(line.quantity for line in plan.lines), plan.market.currency),
        "sales_taxes": money(0, plan.market.currency),
        "payment_method": method,
        "paypal_reference": f"{rng.randrange(10**16):017d}" if method == "PAYPAL" else None,
        "psp_reference": f"PSP{rng.getrandbits(48):012X}",
        "installment_payment": method == "CARD_3X",
        "delivery_mode": "home_delivery",
        "delivery_note": f"https://example.com/delivery_note/{plan.order_id}.pdf",
        "is_backship": plan.is_backship,
        "shipper": shipper,
        "shipper_display": shipper,
        "tracking_number": tracking,
        "tracking_url": f"https://track.example/{tracking}" if sent and rng.random() < 0.8 else "",
        "shipping_address": camel_case(address) if camel else address,
        "billing_address": camel_case(billing) if camel else billing,
        "orderlines": lines,
    }
    return {**document, **plan.overrides}


def sum_of_lines(lines: Sequence[LinePlan], market: Market) -> int:
    """Add up unit price times quantity, in minor units."""
    return sum(_unit_price(line, market) * line.quantity for line in lines)


def _unit_price(line: LinePlan, market: Market) -> int:
    offer = line.listing.offers.get(market.code)
    price = line.price or (offer.price if offer else None) or "100.00"
    return minor_units(float(price), market.currency)


def _line(
    rng: Random, plan: OrderPlan, place: int, line: LinePlan, created: str, shipping_cents: int
) -> dict[str, Any]:
    currency = plan.market.currency
    listing = line.listing
    unit = _unit_price(line, plan.market)
    price = money(unit, currency)
    percent = 12 if plan.order_id % 29 == 0 else listing.fee_percent
    sent = line.state in _SENT and line.quantity == 1
    backcare = rng.random() < 0.04
    return {
        "id": plan.order_id * LINES_PER_ORDER + place,
        "date_creation": created,
        "state": line.state,
        "listing": listing.sku,
        "listing_id": listing.listing_id,
        "product_id": listing.backmarket_id,
        "product": listing.title,
        "brand": listing.brand.lower(),
        "condition": {"PREMIUM": 9, "EXCELLENT": 10, "VERY_GOOD": 11}.get(listing.grade, 12),
        "quantity": line.quantity,
        "price": price.removesuffix("0") if price.endswith(".00") and plan.order_id % 11 == 0 else price,
        "shipping_price": money(shipping_cents, currency),
        "shipping_delay": 48,
        "currency": currency,
        "orderline_fee": money(round(unit * line.quantity * percent / 100), currency),
        "sales_taxes": money(0, currency),
        "backcare": backcare,
        "backcare_price": 3990 if backcare else 0,
        "return_reason": 21 if line.state == LINE_REFUNDED_AFTER else 0,
        "return_message": "Sorry, it's on us.\nRefunded." if line.state == LINE_REFUNDED_AFTER else "",
        "imei": random_imei(rng) if sent and listing.takes_imei else "",
        "serial_number": f"SN{rng.getrandbits(40):010X}" if sent and not listing.takes_imei else "",
    }
