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
from backmarket.api.models.catalog import read_tree
from backmarket.api.models.document import read_each
from backmarket.api.models.privacy import without_personal_data
from backmarket.warehouse.jsonb import dump

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
        {"orderlines": [{**LINE, "quantity": -1}]},
        {"orderlines": [{**LINE, "quantity": -3}]},
        {"orderlines": [{**LINE, "quantity": "-3"}]},
        {"state": True},
        {"price": True},
        {"price": {"amount": "12.50", "currency": "EUR"}},
        {"shipping_price": "Infinity"},
        {"orderlines": "none"},
        {"orderlines": [None]},
        {"orderlines": [{**LINE, "id": {"pk": 1}}]},
        {"orderlines": [{**LINE, "state": "paid"}]},
        {"orderlines": [{**LINE, "quantity": True}]},
        {"orderlines": [{**LINE, "listing": {"sku": "A"}}]},
        {"orderlines": [{**LINE, "price": "12,50"}]},
        {"orderlines": [{**LINE, "shipping_price": []}]},
        {"orderlines": [{**LINE, "orderline_fee": "10 %"}]},
    ],
)
def test_an_order_without_what_is_acted_on_is_refused(changes: dict[str, Any]) -> None:
    """Ids, states, lines, SKU, quantity and the prices that are compared: a guess would be acted on."""
    with pytest.raises(ValidationError):
        order(**changes)


HUGE = 10**30


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"date_shipping": "0000-00-00T00:00:00Z"}, "date_shipping", "datetime_parsing"),
        ({"date_modification": "yesterday"}, "date_modification", "datetime_parsing"),
        ({"date_modification": 1777455600}, "date_modification", "datetime_parsing"),
        ({"date_payment": "1777455600"}, "date_payment", "datetime_parsing"),
        ({"date_creation": {"at": "2026-04-29"}}, "date_creation", "datetime_parsing"),
        ({"date_creation": "0001-01-01T00:00:00+09:00"}, "date_creation", "datetime_parsing"),
        ({"date_payment": "9999-12-31T23:59:59-09:00"}, "date_payment", "datetime_parsing"),
        ({"expected_dispatch_date": "soon"}, "expected_dispatch_date", "datetime_parsing"),
        ({"is_backship": "maybe"}, "is_backship", "bool_parsing"),
        ({"is_backship": 2}, "is_backship", "bool_parsing"),
        ({"country_code": 33}, "country_code", "string_type"),
        ({"currency": ["EUR"]}, "currency", "string_type"),
        ({"sales_taxes": "12,50"}, "sales_taxes", "decimal_parsing"),
        ({"sales_taxes": "NaN"}, "sales_taxes", "finite_number"),
        ({"sales_taxes": {"amount": "2.00"}}, "sales_taxes", "decimal_type"),
        ({"payment_method": ["CARD"]}, "payment_method", "string_type"),
        ({"tracking_number": {"number": "6X1"}}, "tracking_number", "string_type"),
        ({"delivery_note": False}, "delivery_note", "string_type"),
        ({"shipping_address": "Paris"}, "shipping_address", "model_type"),
        ({"billing_address": [PERSON]}, "billing_address", "model_type"),
    ],
)
def test_an_odd_field_of_an_order_is_empty_and_named(changes: dict[str, Any], field: str, kind: str) -> None:
    """What nobody acts on costs nothing but itself; the raw document keeps it."""
    read = order(**changes)
    assert read.all_odd_fields == {f"{field}: {kind}"}
    assert getattr(read, field) is None
    assert read == order(**{field: None}).model_copy(update={"odd_fields": read.odd_fields, "document": read.document})
    if "address" not in field:
        assert read.document[field] == changes[field]


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"backcare_price": Decimal("99.99")}, "backcare_price_cents", "int_from_float"),
        ({"backcare_price": HUGE}, "backcare_price_cents", "less_than"),
        ({"return_reason": "none"}, "return_reason", "int_parsing"),
        ({"return_message": {"text": "Dear"}}, "return_message", "string_type"),
        ({"imei": {"a": 1}}, "imei", "string_type"),
        ({"serial_number": ["C02"]}, "serial_number", "string_type"),
        ({"listing_id": "x"}, "listing_id", "int_parsing"),
        ({"product_id": True}, "product_id", "int_type"),
        ({"condition": HUGE}, "condition", "less_than"),
        ({"sales_taxes": "Infinity"}, "sales_taxes", "finite_number"),
        ({"currency": 978}, "currency", "string_type"),
        ({"date_creation": 0}, "date_creation", "datetime_parsing"),
        ({"backcare": "perhaps"}, "backcare", "bool_parsing"),
    ],
)
def test_an_odd_field_of_a_line_is_empty_and_named(changes: dict[str, Any], field: str, kind: str) -> None:
    """The order is read with its line, and says where the field stands."""
    read = order(orderlines=[LINE, {**LINE, "id": 2, **changes}])
    name = next(iter(changes))
    assert read.all_odd_fields == {f"orderlines.{name}: {kind}"}
    assert (read.odd_fields, read.orderlines[0].odd_fields) == ((), ())
    assert getattr(read.orderlines[1], field) is None
    assert read.orderlines[1].quantity == 1
    assert read.document["orderlines"][1][name] == changes[name]


def test_an_odd_field_of_an_address_costs_no_other() -> None:
    """A telephone number in an object is empty; all else of the address is there; the name of the field is told."""
    read = order(shipping_address={**PERSON, "phone": {"number": "+33639981234"}})
    assert read.shipping_address is not None
    assert (read.shipping_address.phone, read.shipping_address.city) == (None, PERSON["city"])
    assert read.all_odd_fields == {"shipping_address.phone: string_type"}
    both = Address.model_validate({"phone": [], "phoneNumber": "+33639981234"})
    assert (both.phone, both.odd_fields) == ("+33639981234", ("phone: string_type",))


def test_many_odd_fields_are_each_named() -> None:
    """All at once, in order, line and address; a field of Back Market's called `odd_fields` names none."""
    read = order(
        odd_fields=["price: not so"],
        country_code=33,
        date_payment="soon",
        billing_address={"city": 7.5, "email": []},
        orderlines=[{**LINE, "brand": {}, "product": []}],
    )
    assert read.all_odd_fields == {
        "country_code: string_type",
        "date_payment: datetime_parsing",
        "billing_address.email: string_type",
        "orderlines.brand: string_type",
        "orderlines.product: string_type",
    }
    assert order(odd_fields=["price: not so"]).odd_fields == ()


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
    read = Order.model_validate(parse_json(text.encode()))
    assert str(read.price) == "229.10"
    assert repr(read.document["price"]) == "Decimal('229.10')"


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 5_000, "1E+9999999999999999999", "NaN", "-Infinity"])
def test_a_number_beyond_all_bounds_costs_its_own_field_only(number: str) -> None:
    """Not the answer it stands in: Python's own limits are no reason to lose a page of fifty orders."""
    document = {"odd": [number], **ORDER}
    text = (
        json.dumps(document).replace(f'"{number}"', number).replace('"sales_taxes": "0.00"', f'"sales_taxes": {number}')
    )
    read = Order.model_validate(parse_json(text.encode()))
    assert (read.sales_taxes, read.orderlines[0].sales_taxes, read.price) == (None, None, Decimal("229.00"))
    assert {odd.partition(":")[0] for odd in read.all_odd_fields} == {"sales_taxes", "orderlines.sales_taxes"}
    assert dump(read.document)


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
    assert unreadable[0].reason == "price: no number"
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
    ("changes", "field", "empty", "kind"),
    [
        ({"max_price": "n/a"}, "max_price", None, "decimal_parsing"),
        ({"min_price": {"amount": 1}}, "min_price", None, "decimal_type"),
        ({"shippings": "x"}, "shippings", (), "tuple_type"),
        ({"shippings": ["x"]}, "shippings", (), "model_type"),
        ({"warranty_delay": Decimal("12.5")}, "warranty_delay", None, "int_from_float"),
        ({"publication_state": "online"}, "publication_state", None, "int_parsing"),
        ({"title": 5}, "title", None, "string_type"),
        ({"comment": ["good"]}, "comment", None, "string_type"),
        ({"grade": 0}, "grade", None, "string_type"),
        ({"state": HUGE}, "state", None, "less_than"),
        ({"listing_id": "n/a"}, "listing_id", None, "int_parsing"),
        ({"product_id": "n/a"}, "product_id", None, "uuid_parsing"),
        ({"backmarket_id": []}, "backmarket_id", None, "int_type"),
        ({"currency": 978}, "currency", None, "string_type"),
        ({"new_battery": "fresh"}, "new_battery", None, "bool_parsing"),
    ],
)
def test_an_odd_field_of_a_listing_is_empty_and_named(
    changes: dict[str, Any], field: str, empty: object, kind: str
) -> None:
    """A title that is a number keeps no stock from being uploaded."""
    read = Listing.model_validate({**LISTING, **changes})
    assert getattr(read, field) == empty
    assert read.all_odd_fields == {f"{field}: {kind}"}
    assert (read.id, read.quantity, read.document[field]) == (UUID(str(LISTING["id"])), 12, changes[field])


@pytest.mark.parametrize(
    "changes",
    [{"id": "x"}, {"id": None}, {"quantity": "many"}, {"quantity": None}, {"sku": {"a": 1}}, {"price": "12,50"}],
)
def test_a_listing_without_what_is_acted_on_is_refused(changes: dict[str, Any]) -> None:
    """Id, SKU, quantity, and the price from which a move is measured."""
    with pytest.raises(ValidationError):
        Listing.model_validate({**LISTING, **changes})


@pytest.mark.parametrize("changes", [{"task_id": "x"}, {"task_id": None}, {"last_action_error": {"code": 3}}])
def test_a_batch_needs_only_its_status(changes: dict[str, Any]) -> None:
    """Whoever asked knows its number."""
    assert Batch.model_validate({"task_id": 7, "action_status": 9, **changes}).is_done
    with pytest.raises(ValidationError):
        Batch.model_validate({"task_id": 7, "action_status": "done", **changes})


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


_FINE = {"category_id": 2, "marketplace_category_id": 20, "is_leaf": True, "attributes": [{"field": "color"}]}


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"category_id": "x"}, "category_id: no whole number"),
        ({"marketplace_category_id": {}}, "marketplace_category_id: no whole number"),
        ({"attributes": "color"}, "attributes: no list"),
        ({"attributes": [{"field": None}]}, "attributes.0.field: no text"),
        ({"attributes": [{"field": "color", "type": "text"}]}, "attributes.0.type: no whole number"),
        ({"attributes": [{"field": "color", "allowed_values": ["red"]}]}, "attributes.0.allowed_values: no text"),
        ({"attributes": [{"field": "color", "required": "maybe"}]}, "attributes.0.required: neither true nor false"),
        ({"childrens": "none"}, "childrens: no list"),
    ],
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_odd_category_costs_no_other(odd: dict[str, Any], reason: str, depth: int) -> None:
    """It is left out and named, at any depth; those beside it are there, and so are those of an odd branch."""
    documents = [{**_FINE, "category_id": 3, "category_name": "Odd", **odd}, _FINE, None]
    for level in range(depth):
        branch = {"category_id": 100 + level, "childrens": documents}
        documents = [branch, {"category_id": "odd", "childrens": [_FINE]}]
    tree = read_tree(documents)
    assert _leaves(tree.roots) == [2] * (depth + 1)
    assert [each.reason for each in tree.left_out[:2]] == [reason, "document: no object"]
    assert "Odd" in str(tree.left_out[0].key)
    assert len(tree.left_out) == 2 + depth


def test_a_branch_of_which_nothing_is_left_is_no_leaf() -> None:
    """No product can be created in what was a branch; an odd name or an unknown field is no reason to leave one out."""
    odd = {"category_id": "odd"}
    assert read_tree([{"category_id": 1, "marketplace_category_id": 10, "childrens": [odd]}]).roots == ()
    named = read_tree([{**_FINE, "category_name": ["Phones"], "is_leaf": None, "x": 1}, {**_FINE, "childrens": [odd]}])
    assert _leaves(named.roots) == [2, 2]


def _leaves(categories: tuple[Category, ...]) -> list[int]:
    """The ids of all categories that nothing hangs on."""
    return [
        found
        for category in categories
        for found in (_leaves(category.children) if category.children else [category.category_id])
    ]


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
