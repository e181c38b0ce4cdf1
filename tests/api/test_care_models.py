"""Care folders, deliveries and returns as they may come: nothing is lost, nothing personal is stored or shown."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from backmarket.api.answers import parse_json
from backmarket.api.models import CareFolder, CareMessage, Delivery, Return
from backmarket.warehouse.jsonb import dump

NOON = "2026-07-01T12:00:00+00:00"
AT_NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ADDRESS = {
    "company": "Secret SA",
    "first_name": "Secret",
    "last_name": "Secret",
    "street": "6 place Secret",
    "postal_code": "Secret",
    "city": "Secret",
    "country": "FR",
    "phone": "Secret",
    "email": "secret@example.com",
}
LISTED = {
    "id": 123,
    "client": 456,
    "merchant": 789,
    "orderline": 321,
    "date_creation": NOON,
    "date_modification": "2026-07-01T14:00:00+02:00",
    "date_last_message": "2026-07-01T12:00:00Z",
    "date_closed": None,
    "state": 0,
    "lines": [731, 1252],
    "country_code": "fr-fr",
    "backcare": True,
}
LABEL = {
    "date_creation": NOON,
    "state": "ALIVE",
    "label": "https://cdn.example.com/label.pdf",
    "initiator": "Merchant",
    "kind": "CUSTOMER_TO_MERCHANT",
}
MESSAGE = {
    "id": 9,
    "message": "Secret words of a customer",
    "date_creation": NOON,
    "attachments": [{"id": 1, "attachment": "https://cdn.example.com/1.jpg", "date_creation": NOON}],
    "initiator": "Customer",
    "kind": "CUSTOMER_TO_MERCHANT",
    "is_informative": None,
    "translation": "Secret words in English",
}
DETAILS = {
    **LISTED,
    "client": {"id": 0, "username": "secret", "first_name": "Secret", "email": "secret@example.com"},
    "merchant": {"id": 789, "username": "secret@example.com", "first_name": "Secret", "name": "Secret Ltd"},
    "orderline": {
        "id": 321,
        "quantity": 1,
        "price": "89.99",
        "snapshot": {"sku": "IPHONE", "listing": 456},
        "order": {"order_id": 5978, "shipping_address": ADDRESS, "billing_address": ADDRESS, "price": "89.99"},
    },
    "lines": [
        {
            "id": 731,
            "issues": [{"customerIssue": "BATTERY_NOT_CHARGING", "tag": "TECHNICAL"}],
            "return_labels": [LABEL],
            "comment": "It fell into the sea, says Mr Secret",
        },
        {"id": 1252, "issues": [{"customerIssue": "SCREEN_BROKEN"}], "return_labels": None},
    ],
    "messages": [MESSAGE],
    "psp_reference": "PSP1",
}
DELIVERY = {
    "order": 42,
    "shipmentId": 7,
    "carrierId": 3,
    "orderlines": [42, 43],
    "referenceNumber": "1",
    "trackingNumber": "Jc2rnTAc4L",
    "trackingUrl": "https://carrier.example.com/Jc2rnTAc4L",
    "carrierName": "Chronopost",
    "hubScanned": False,
    "invoicedCurrency": "EUR",
    "invoicedPrice": 30,
    "datePickup": None,
    "dateCreation": "2026-07-01T14:00:00+02:00",
    "dateDelivery": "",
    "labelUrl": "/static/7.pdf",
    "type": "DELIVERY",
    "pickupInfo": {"pickupId": 42},
}
RETURN = {
    **{
        name: DELIVERY[name]
        for name in ("shipmentId", "trackingNumber", "carrierName", "dateCreation", "invoicedPrice")
    },
    "orderId": 42,
    "orderlineId": 43,
    "label": "https://example.com/8.pdf",
    "type": "RETURN",
}


def folder(document: dict[str, Any], **fields: Any) -> CareFolder:
    """Read a folder of which some fields are others."""
    return CareFolder.model_validate({**document, **fields})


def test_an_entry_of_the_list() -> None:
    """Ids alone; what only the details tell is empty."""
    read = folder(LISTED)
    assert (read.care_folder_id, read.orderline_id, read.order_id, read.state) == (123, 321, None, 0)
    assert read.date_creation == read.date_modification == read.date_last_message == AT_NOON
    assert (read.date_closed, read.country_code, read.backcare) == (None, "fr-fr", True)
    assert (read.issues, read.return_labels, read.messages, read.has_messages) == ([], [], [], False)
    assert read.all_odd_fields == set()


def test_the_details_of_a_folder() -> None:
    """Ids out of the objects, what is wrong and the labels of all claims, and the conversation."""
    read = folder(DETAILS)
    assert (read.care_folder_id, read.orderline_id, read.order_id) == (123, 321, 5978)
    assert read.issues == ["BATTERY_NOT_CHARGING", "SCREEN_BROKEN"]
    (label,) = read.return_labels
    assert (label.url, label.state, label.kind, label.date_creation) == (
        "https://cdn.example.com/label.pdf",
        "ALIVE",
        "CUSTOMER_TO_MERCHANT",
        AT_NOON,
    )
    (message,) = read.messages
    assert (message.message_id, message.text) == (9, "Secret words of a customer")
    assert (message.initiator, message.kind, message.is_informative) == ("Customer", "CUSTOMER_TO_MERCHANT", False)
    assert (message.date_creation, message.attachments) == (AT_NOON, ["https://cdn.example.com/1.jpg"])
    assert read.has_messages
    assert read.all_odd_fields == set()
    assert folder(DETAILS, messages=[]).has_messages


@pytest.mark.parametrize(
    ("fields", "odd"),
    [
        ({"orderline": None}, set()),
        ({"orderline": {"id": 321, "order": None}}, set()),
        ({"orderline": {}}, set()),
        ({"orderline": "many"}, {"orderline: int_parsing"}),
        ({"state": "open"}, {"state: int_parsing"}),
        ({"state": True}, {"state: int_type"}),
        ({"state": 42}, set()),
        ({"date_creation": "yesterday"}, {"date_creation: datetime_parsing"}),
        ({"backcare": "perhaps"}, {"backcare: bool_parsing"}),
        ({"lines": None}, set()),
        ({"lines": "none"}, {"lines: list_type"}),
        ({"lines": [{"issues": "many"}]}, {"lines.issues: list_type"}),
        ({"lines": [{"return_labels": [{"label": 3, "state": 1}]}]}, {"lines.return_labels.state: string_type"}),
        ({"messages": None}, set()),
        ({"messages": "hello"}, {"messages: list_type"}),
        ({"messages": [{**MESSAGE, "kind": 1}]}, {"messages.kind: string_type"}),
        ({"messages": [{**MESSAGE, "attachments": "many"}]}, {"messages.attachments: list_type"}),
        ({"messages": [{**MESSAGE, "attachments": None}]}, set()),
        ({"messages": [{**MESSAGE, "attachments": [None, "https://x.example.com", {}]}]}, set()),
        ({"messages": [{"message": "Secret"}, MESSAGE]}, {"messages.id: missing"}),
        ({"odd_fields": ["lies"], "impersonal_document": {"client": 1}, "unreadable_messages": [1]}, set()),
    ],
    ids=str,
)
def test_what_is_odd_costs_its_field_alone(fields: dict[str, Any], odd: set[str]) -> None:
    """And is named without its value."""
    read = folder(DETAILS, **fields)
    assert read.care_folder_id == 123
    assert read.all_odd_fields == odd
    assert len(read.messages) == (0 if fields.get("messages", 0) in (None, "hello") else 1)


@pytest.mark.parametrize("care_folder_id", [None, "", "x", True, 2**63, {}])
def test_a_folder_without_its_id_is_none(care_folder_id: Any) -> None:
    """Nothing else is needed."""
    with pytest.raises(ValidationError):
        folder(DETAILS, id=care_folder_id)
    assert CareFolder.model_validate({"id": "123"}).care_folder_id == 123


@pytest.mark.parametrize("zone", ["", "+02:00"])
def test_times_without_a_zone_are_judged_by_the_answers_date(zone: str) -> None:
    """As those of an order: in the folder, its messages and its labels alike."""
    local = f"2026-07-01T14:00:00{zone}"
    document = json.loads(json.dumps(DETAILS).replace(NOON, local))
    read = CareFolder.model_validate(document, context={"server_time": AT_NOON})
    assert read.times_assumed_local is (zone == "")
    moments = [read.date_creation, read.messages[0].date_creation, read.return_labels[0].date_creation]
    assert moments == [AT_NOON] * 3


def test_the_document_is_impersonal() -> None:
    """Neither people nor addresses nor anybody's words; all other fields stay, undocumented ones, too."""
    before = deepcopy(DETAILS)
    document = folder(DETAILS).impersonal_document
    stored = dump(document).casefold()
    assert "secret" not in stored
    assert "client" not in document
    assert (document["psp_reference"], document["merchant"]) == ("PSP1", 789)
    assert document["orderline"]["order"] == {"order_id": 5978, "price": "89.99"}
    assert document["lines"][0]["issues"] == DETAILS["lines"][0]["issues"]  # type: ignore[index]
    assert document["messages"][0]["attachments"][0]["attachment"] == "https://cdn.example.com/1.jpg"
    assert document["messages"][0]["kind"] == "CUSTOMER_TO_MERCHANT"
    assert before == DETAILS
    assert "456" not in dump(folder(LISTED).impersonal_document)


@pytest.mark.parametrize("messages", ["Secret", {"text": "Secret"}, ["Secret", [{"x": "Secret"}]], [{"id": "Secret"}]])
def test_messages_of_another_form_are_not_stored_either(messages: Any) -> None:
    """Whatever stands where messages should."""
    assert "Secret" not in dump(folder(DETAILS, messages=messages).impersonal_document)


def test_nothing_that_people_wrote_is_shown() -> None:
    """In a log or a trace, whether it could be read or not."""
    read = folder(DETAILS, messages=[MESSAGE, {"message": "Secret"}])
    shown = f"{read} {read!r} {read.messages} {CareMessage.model_validate(MESSAGE)!r} {read.unreadable_messages}"
    assert "ecret" not in shown


def _in_snake_case(document: dict[str, Any]) -> dict[str, Any]:
    names = {name: "".join(f"_{each.lower()}" if each.isupper() else each for each in name) for name in document}
    return {names[name]: value for name, value in document.items()}


@pytest.mark.parametrize("document", [DELIVERY, _in_snake_case(DELIVERY)], ids=["camel", "snake"])
def test_a_delivery(document: dict[str, Any]) -> None:
    """In either spelling; a price stays what it was."""
    read = Delivery.model_validate(document)
    assert (read.shipment_id, read.order_id, read.orderline_ids) == (7, 42, [42, 43])
    assert (read.tracking_number, read.carrier_name, read.hub_scanned) == ("Jc2rnTAc4L", "Chronopost", False)
    assert read.tracking_url == "https://carrier.example.com/Jc2rnTAc4L"
    assert (read.invoiced_price, read.invoiced_currency) == (Decimal(30), "EUR")
    assert (read.date_creation, read.date_pickup, read.date_delivery) == (AT_NOON, None, None)
    assert (read.label_url, read.type, read.document) == ("/static/7.pdf", "DELIVERY", document)
    assert read.all_odd_fields == set()


@pytest.mark.parametrize("document", [RETURN, _in_snake_case(RETURN)], ids=["camel", "snake"])
def test_a_return(document: dict[str, Any]) -> None:
    """One line, and a label under another name."""
    read = Return.model_validate(document)
    assert (read.shipment_id, read.order_id, read.orderline_id) == (7, 42, 43)
    assert (read.label_url, read.type, read.date_creation) == ("https://example.com/8.pdf", "RETURN", AT_NOON)


@pytest.mark.parametrize(
    ("fields", "odd"),
    [
        ({"orderlines": None}, set()),
        ({"orderlines": [1, "x"]}, {"orderlines: int_parsing"}),
        ({"hubScanned": 7}, {"hubScanned: bool_parsing"}),
        ({"invoicedPrice": "free"}, {"invoicedPrice: decimal_parsing"}),
        ({"datePickup": 1751371200}, {"datePickup: datetime_parsing"}),
        ({"order": None, "pickupInfo": "none"}, set()),
    ],
    ids=str,
)
def test_what_is_odd_of_a_shipment(fields: dict[str, Any], odd: set[str]) -> None:
    """It costs its field alone, and is named as Back Market does."""
    assert Delivery.model_validate({**DELIVERY, **fields}).all_odd_fields == odd
    with pytest.raises(ValidationError):
        Delivery.model_validate({**DELIVERY, **fields, "shipmentId": None})


def test_the_price_of_a_shipment_is_no_float() -> None:
    """Whatever digits the answer has."""
    text = json.dumps(DELIVERY).replace("30,", "30.10,")
    assert str(Delivery.model_validate(parse_json(text.encode())).invoiced_price) == "30.10"


def test_the_times_of_a_shipment_without_a_zone() -> None:
    """Judged by when it was made; a pickup may lie ahead."""
    context = {"server_time": AT_NOON}
    local = {"dateCreation": "2026-07-01T14:00:00", "datePickup": "2026-07-02T14:00:00"}
    read = Delivery.model_validate({**DELIVERY, **local}, context=context)
    assert (read.date_creation, read.times_assumed_local) == (AT_NOON, True)
    assert read.date_pickup == datetime(2026, 7, 2, 12, tzinfo=UTC)
    utc = Delivery.model_validate({**DELIVERY, "datePickup": "2026-07-02T14:00:00"}, context=context)
    assert (utc.date_pickup, utc.times_assumed_local) == (datetime(2026, 7, 2, 14, tzinfo=UTC), False)
