"""Orders and listings as production sends them: nothing is lost, nothing personal is shown."""

from __future__ import annotations

import json
import pickle
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backmarket.api.answers import parse_json
from backmarket.api.models import Address, Batch, Category, Listing, Order, OrderLine
from backmarket.api.models.document import read_each
from backmarket.api.models.privacy import without_personal_data

PERSON = {
    "first_name": "Victor",
    "last_name": "Hugo",
    "company": "Les Misérables SA",
    "street": "6 place des Vosges",
    "street2": "2e étage",
    "postal_code": "75004",
    "city": "Paris-sur-Seine",
    "country": "FR",
    "phone": "+33639981234",
    "email": "victor@example.com",
    "customer_id_number": "X1802",
}
LINE = {
    "id": 37195,
    "listing": "IPHONE416GONLIB0",
    "listing_id": 142,
    "product_id": 141,
    "product": "Apple iPhone 4 16 Go",
    "brand": "apple",
    "quantity": 1,
    "price": "229.00",
    "shipping_price": "0.00",
    "currency": "EUR",
    "state": 1,
    "orderline_fee": "22.9",
    "sales_taxes": "0.00",
    "return_reason": 0,
    "return_message": "",
    "imei": "",
    "serial_number": "",
    "condition": 10,
    "backcare": True,
    "backcare_price": 500,
    "date_creation": "2026-04-29T09:35:24.123456Z",
}
ORDER = {
    "order_id": 5978,
    "state": 1,
    "country_code": "fr-fr",
    "currency": "EUR",
    "price": "229.00",
    "shipping_price": "5.99",
    "sales_taxes": "0.00",
    "payment_method": "SOMETHING_NEW",
    "tracking_number": "",
    "tracking_url": "",
    "shipper": "Colissimo",
    "shipper_display": "Colissimo",
    "is_backship": False,
    "psp_reference": "PSP1",
    "date_creation": "2026-04-29T09:35:24.123456Z",
    "date_modification": "2026-04-29T09:40:00Z",
    "date_payment": "2026-04-29T09:36:00Z",
    "date_shipping": None,
    "expected_dispatch_date": "2026-05-01T09:35:24Z",
    "shipping_address": PERSON,
    "billing_address": PERSON,
    "orderlines": [LINE],
}
LISTING = {
    "id": "7a97a1b6-547e-4718-bc72-5b84aca91b09",
    "listing_id": 4567,
    "product_id": "6d4ad966-db97-4d88-b409-b28cc2a0f8c9",
    "backmarket_id": 42,
    "title": "iPhone 6S",
    "sku": "IPHONE_6S",
    "grade": "EXCELLENT",
    "state": 0,
    "quantity": 12,
    "warranty_delay": "24",
    "price": "160.99",
    "currency": "EUR",
    "min_price": None,
    "max_price": Decimal("199.90"),
    "comment": None,
    "publication_state": 2,
    "shippings": None,
}


def order(**changes: Any) -> Order:
    """Read the example order with changes."""
    return Order.model_validate({**ORDER, **changes})


def line(**changes: Any) -> OrderLine:
    """Read the example line with changes."""
    return OrderLine.model_validate({**LINE, **changes})


def test_an_order_as_production_sends_it() -> None:
    """Money is Decimal, '' is nothing, times are UTC, the SKU comes from `listing`, unknown enums pass."""
    read = order()
    assert (read.price, read.shipping_price) == (Decimal("229.00"), Decimal("5.99"))
    assert (read.tracking_number, read.tracking_url, read.date_shipping) == (None, None, None)
    assert read.payment_method == "SOMETHING_NEW"
    assert read.date_creation == datetime(2026, 4, 29, 9, 35, 24, 123456, tzinfo=UTC)
    only = read.orderlines[0]
    assert (only.orderline_id, only.sku, only.listing_id) == (37195, "IPHONE416GONLIB0", 142)
    assert (only.imei, only.serial_number, only.return_message) == (None, None, None)
    assert (only.orderline_fee, only.backcare_price_cents) == (Decimal("22.9"), 500)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"order_id": "12"}, "order_id", 12),
        ({"state": "9"}, "state", 9),
        ({"state": 77}, "state", 77),
        ({"price": 229}, "price", Decimal(229)),
        ({"price": Decimal("229.10")}, "price", Decimal("229.10")),
        ({"price": "1e2"}, "price", Decimal(100)),
        ({"price": ""}, "price", None),
        ({"price": None}, "price", None),
        ({"tracking_number": 123456789012345678901}, "tracking_number", "123456789012345678901"),
        ({"is_backship": "true"}, "is_backship", True),
        ({"is_backship": None}, "is_backship", None),
        ({"shipping_address": None}, "shipping_address", None),
        ({"shipping_address": ""}, "shipping_address", None),
        ({"orderlines": []}, "orderlines", ()),
    ],
)
def test_orders_are_read_leniently(changes: dict[str, Any], field: str, expected: object) -> None:
    """Numbers as text, text as numbers, missing and unknown values."""
    assert getattr(order(**changes), field) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": None},
        {"order_id": "abc"},
        {"state": ""},
        {"price": "12,50"},
        {"price": "NaN"},
        {"orderlines": None},
        {"orderlines": [{**LINE, "quantity": None}]},
        {"date_modification": "yesterday"},
        {"shipping_address": "6 place des Vosges"},
    ],
)
def test_what_cannot_be_understood_is_refused(changes: dict[str, Any]) -> None:
    """A guess would be stored as a fact."""
    with pytest.raises(ValidationError):
        order(**changes)


def test_only_the_essential_is_required() -> None:
    """Ids, states and quantities; anything else may be missing."""
    minimal = Order.model_validate({"order_id": 1, "state": 1, "orderlines": [{"id": 2, "state": 1, "quantity": 1}]})
    assert (minimal.price, minimal.orderlines[0].sku) == (None, None)


def test_an_imei_keeps_its_leading_zero() -> None:
    """Identifiers are text, whatever they look like."""
    assert line(imei="011415009346880").imei == "011415009346880"
    assert line(imei=11415009346880).imei == "11415009346880"


def test_both_spellings_of_an_address() -> None:
    """The spec writes camelCase, production snake_case."""
    camel = {
        "firstName": "Victor",
        "lastName": "Hugo",
        "firstNamePronunciation": "ビクトル",
        "postalCode": "75004",
        "phoneNumber": "+33639981234",
        "customerIdNumber": "X1802",
    }
    read = Address.model_validate(camel)
    assert (read.first_name, read.last_name, read.first_name_pronunciation) == ("Victor", "Hugo", "ビクトル")
    assert (read.postal_code, read.phone, read.customer_id_number) == ("75004", "+33639981234", "X1802")
    assert Address.model_validate(PERSON).model_dump(exclude_none=True) == PERSON


def test_the_document_is_whole_but_for_the_person() -> None:
    """Undocumented fields stay; addresses and whatever else is personal do not."""
    extra = {"customer": {"id": 3}, "buyerEmail": "victor@example.com", "phone_number": "+33639981234"}
    document = order(**extra).document
    personal = {"shipping_address", "billing_address"}
    assert document == {name: value for name, value in ORDER.items() if name not in personal}
    assert "psp_reference" in document


def test_money_stays_exact_on_its_way_into_a_document() -> None:
    """A number in the answer's JSON is a Decimal in the model and in the document."""
    text = json.dumps(ORDER).replace('"229.00"', "229.10")
    read = Order.model_validate(parse_json(text))
    assert str(read.price) == "229.10"
    assert repr(read.document["price"]) == "Decimal('229.10')"


def test_nothing_personal_is_shown() -> None:
    """An order in a log or a trace tells nothing about the customer."""
    read = order(orderlines=[{**LINE, "return_message": "Dear Mr Hugo"}], buyer_email="victor@example.com")
    shown = f"{read} {read!r} {read.shipping_address} {read.orderlines}"
    assert [value for value in (*PERSON.values(), "Dear Mr Hugo") if value != "FR" and value in shown] == []


def test_a_document_survives_pickling() -> None:
    """Documents may cross a process border."""
    assert pickle.loads(pickle.dumps(order())) == order()  # noqa: S301 - our own bytes


def test_documents_are_frozen() -> None:
    """What was read stays what was read."""
    with pytest.raises(ValidationError):
        order().state = 2  # type: ignore[misc]


def test_one_bad_document_costs_no_other() -> None:
    """The others are read; the bad one is kept whole, with a reason that names fields and no values."""
    bad = {**ORDER, "order_id": 2, "price": "twelve euros", "shipping_address": {"phone": {"x": "+33639981234"}}}
    documents = [ORDER, bad, {**ORDER, "order_id": 3}, "not even a document", None, {"state": "Victor"}]
    orders, unreadable = read_each(Order, documents, key="order_id", context={})
    assert [each.order_id for each in orders] == [5978, 3]
    assert [each.document for each in unreadable] == [bad, *documents[3:]]
    assert [each.key for each in unreadable] == ["2", None, None, None]
    assert unreadable[0].reason == "price: decimal_parsing; shipping_address.phone: string_type"
    assert "+33639981234" not in repr(unreadable)
    assert "Victor" not in repr(unreadable)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(ORDER)), _JSON, max_size=4))
def test_any_damage_is_read_or_kept(damage: dict[str, Any]) -> None:
    """Whatever stands in whichever field: the document is read or kept, and the sum is right."""
    orders, unreadable = read_each(
        Order, [{**ORDER, **damage}, ORDER], key="order_id", context={"server_time": datetime.now(UTC)}
    )
    assert len(orders) + len(unreadable) == 2
    assert orders[-1] == order()


def test_personal_fields_are_known_at_any_depth_and_in_any_spelling() -> None:
    """Undocumented fields are known by their names; what is not about a person stays."""
    nested = {
        "lines": [{"firstName": "V", "product": "p", "Email-Address": "e"}],
        "pickup": {"street": "s", "relay_id": 3},
        "recipient": {"x": 1},
        "product_name": "p",
        "shipper_display": "DHL",
    }
    assert without_personal_data(nested) == {
        "lines": [{"product": "p"}],
        "pickup": {"relay_id": 3},
        "product_name": "p",
        "shipper_display": "DHL",
    }


def test_a_listing_as_production_sends_it() -> None:
    """Both kinds of id, amounts as text or number, null where nothing is."""
    read = Listing.model_validate(LISTING)
    assert read.id == UUID("7a97a1b6-547e-4718-bc72-5b84aca91b09")
    assert (read.price, read.min_price, read.max_price) == (Decimal("160.99"), None, Decimal("199.90"))
    assert (read.warranty_delay, read.shippings, read.comment) == (24, (), None)
    assert read.document == LISTING


@pytest.mark.parametrize(
    ("status", "running", "done", "failed"),
    [(0, 1, 0, 0), (2, 1, 0, 0), (3, 1, 0, 0), (7, 1, 0, 0), (8, 0, 0, 1), (9, 0, 1, 0), (5, 0, 0, 0)],
)
def test_a_status_nobody_knows_is_no_success(status: int, running: int, done: int, failed: int) -> None:
    """The status is an open set: an unknown one is neither running, done nor failed."""
    batch = Batch(task_id=1, action_status=status, last_action_error="", result={})
    assert (batch.is_running, batch.is_done, batch.has_failed) == (running, done, failed)


def test_the_category_tree_is_a_tree() -> None:
    """Children hang under the API's word `childrens`; null is none."""
    leaf = {"category_id": 2, "is_leaf": True, "attributes": [{"field": "color", "required": True}], "childrens": None}
    tree = Category.model_validate({"category_id": 1, "attributes": None, "childrens": [leaf]})
    assert tree.children[0].attributes[0].field == "color"
    assert tree.children[0].children == ()


def test_reading_a_page_is_quick() -> None:
    """50 orders take about 2 ms; ten times that would slow a download down."""
    page = [{**ORDER, "order_id": number} for number in range(50)]
    best = min(_seconds_to_read(page) for _ in range(5))
    assert best < 0.02


def _seconds_to_read(page: list[dict[str, Any]]) -> float:
    started = time.perf_counter()
    read_each(Order, page, key="order_id", context={"server_time": datetime.now(UTC)})
    return time.perf_counter() - started


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": 10**30},
        {"state": 2**31},
        {"price": "1E+999999"},
        {"price": "NaN"},
        {"orderlines": [{**LINE, "id": -(2**64)}]},
        {"orderlines": [{**LINE, "quantity": 10**10}]},
    ],
)
def test_a_number_that_no_column_can_hold_costs_its_own_document_only(fields: dict[str, Any]) -> None:
    """It is found on reading; found on storing, it would stop all the others."""
    sound = {"order_id": 1, "state": 1, "orderlines": [LINE]}
    read, unreadable = read_each(Order, [sound, {**sound, **fields}], key="order_id", context={})
    assert [order.order_id for order in read] == [1]
    assert len(unreadable) == 1
