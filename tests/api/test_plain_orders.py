"""Orders in the spec's own form are read quickly, and come out as the lenient model reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from backmarket.api.models import Address, Order, OrderLine
from backmarket.api.models.document import read_each
from backmarket.api.models.plain_order import AnyOrder, PlainAddress, PlainOrder, PlainOrderLine, read_plainly
from tests.api.test_api_models import LINE, ORDER, PERSON

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
# What an order says of itself, beside what Back Market says of it.
OWN = {"odd_fields", "served_at", "times_assumed_local"}

_VALUES = st.sampled_from(
    [
        *[
            None,
            "",
            " ",
            " x ",
            "x\0",
            "\ud800",
            0,
            1,
            -1,
            2**31,
            2**63,
            "7",
            True,
            "true",
            [],
            {},
            "1e2",
            "NaN",
            "0.10",
        ],
        *["9" * 29, "0." + "9" * 28, "1E-20", Decimal("0.10"), Decimal("1E+30"), Decimal("-0.00"), Decimal("Infinity")],
        *[
            "2026-09-01T11:00:00Z",
            "2026-09-01T11:00:00.1234567Z",
            "2026-09-01T11:00:00.123",
            "2026-09-01 13:00:00+02:00",
        ],
        *["2026-09-01T14:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-09-01", "yesterday"],
    ]
)


def _as_read(order: AnyOrder) -> dict[str, Any]:
    """Tell all that an order says, whichever class it has."""

    def values(document: Any, names: Any) -> dict[str, Any]:
        return {name: repr(getattr(document, name)) for name in names}

    addresses = [order.shipping_address, order.billing_address]
    return {
        **values(order, Order.model_fields.keys() - OWN - {"orderlines", "shipping_address", "billing_address"}),
        "lines": [values(line, OrderLine.model_fields.keys() - OWN) for line in order.orderlines],
        "addresses": [address and values(address, Address.model_fields.keys() - OWN) for address in addresses],
    }


@pytest.mark.parametrize(
    ("plain", "model"), [(PlainOrder, Order), (PlainOrderLine, OrderLine), (PlainAddress, Address)]
)
def test_both_have_the_same_fields(plain: Any, model: Any) -> None:
    """A field that is added to one of them is added to the other."""
    assert set(plain.__struct_fields__) == model.model_fields.keys() - OWN


def _changed(document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([*document, "sku", "orderline_id", "firstName", "phone_number", "document", "odd_fields"])
    return st.dictionaries(names, _VALUES, max_size=2).map(lambda changes: {**document, **changes})


@given(order=_changed(ORDER), line=_changed(LINE), person=_changed(PERSON))
@example(order=ORDER, line={**LINE, "listing": "\ud800"}, person=PERSON)
@example(order=ORDER, line={**LINE, "imei": "35\udc00"}, person=PERSON)
@example(order={**ORDER, "country_code": "x" * 501}, line=LINE, person=PERSON)
def test_what_is_read_quickly_is_read_alike(
    order: dict[str, Any], line: dict[str, Any], person: dict[str, Any]
) -> None:
    """Whatever a field holds: the quick way reads the same as the lenient one, or leaves the document to it."""
    document = {**order, "orderlines": [line], "shipping_address": person}
    plain = read_plainly(document, NOON)
    if plain is not None:
        (lenient,), _ = read_each(Order, [document], key="order_id", context={"server_time": NOON})
        assert _as_read(plain) == _as_read(lenient)
        assert not lenient.all_odd_fields
        assert not lenient.times_assumed_local


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unknown": {"nested": [1]}},
        {"price": Decimal("229.10"), "tracking_number": "", "shipper": None, "shipping_address": None},
        {"date_payment": "2026-04-29T09:36:00", "date_creation": "2026-04-29T09:36:00+02:00"},
    ],
)
def test_a_usual_order_takes_the_quick_way(changes: dict[str, Any]) -> None:
    """Amounts as text or number, times with a zone or without, fields nobody knows."""
    assert read_plainly({**ORDER, **changes}, NOON) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "1E+400"},
        {"state": "1"},
        {"order_id": "\ud800"},
        {"billing_address": {"firstName": "Victor"}},
        {"orderlines": [{**LINE, "sku": "A", "listing": None} | {"backcare_price": 5.5}]},
        {"date_payment": (NOON + timedelta(hours=1)).replace(tzinfo=None).isoformat()},
        {"date_payment": "2026-04-29T09:36:00.1234567Z"},
        {"orderlines": [{**LINE, "quantity": -1}]},
        {"orderlines": [{**LINE, "quantity": -3}]},
    ],
)
def test_any_other_order_is_left_to_the_lenient_model(changes: dict[str, Any]) -> None:
    """Another form, another spelling, a time in another zone."""
    assert read_plainly({**ORDER, **changes}, NOON) is None


def test_nothing_personal_is_shown() -> None:
    """An order in a log or a trace tells nothing about the customer."""
    order = read_plainly({**ORDER, "orderlines": [{**LINE, "return_message": "Dear Mr Hugo"}]}, NOON)
    assert order is not None
    personal = (order, order.orderlines, order.shipping_address, Order.model_validate(ORDER).shipping_address)
    for shown in [*map(repr, personal), *map(pretty_repr, personal)]:
        assert "Victor" not in shown
        assert "Hugo" not in shown
