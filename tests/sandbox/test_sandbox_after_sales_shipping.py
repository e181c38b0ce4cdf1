"""Deliveries and returns as the public description has them."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandbox.remote import Json, Sandbox

PHONE = "IP11-64-BLK-C"
DELIVERIES, RETURNS = "/ws/shipping/v1/deliveries", "/ws/shipping/v1/returns"
_BOTH = {
    "shipmentId", "dateCreation", "referenceNumber", "trackingNumber", "trackingUrl", "carrierId", "carrierName",
    "hubScanned", "datePickup", "dateDelivery", "invoicedPrice", "invoicedCurrency", "type",
}  # fmt: skip


def deliveries_of(client: httpx.Client, order: Json) -> list[Json]:
    """Give the deliveries of one order."""
    answer = client.get(DELIVERIES, params={"order_id": order["order_id"]}).json()
    assert answer["count"] == len(answer["results"])
    found: list[Json] = answer["results"]
    return found


def test_a_delivery_appears_with_the_first_accepted_line_and_moves_on(sandbox: Sandbox, client: httpx.Client) -> None:
    """No label before; then one, picked up when the order is shipped, and delivered when it is confirmed."""
    order = sandbox.create_order(sku=PHONE, force=True, is_backship=True)
    url = f"/ws/orders/{order['order_id']}"
    assert deliveries_of(client, order) == []
    client.post(url, json={"new_state": 2, "sku": PHONE})
    (delivery,) = deliveries_of(client, order)
    assert delivery.keys() == _BOTH | {"order", "orderlines", "labelUrl", "pickupInfo"}
    assert delivery["labelUrl"].startswith("/static/shipment_labels/eu-")
    assert (delivery["order"], delivery["orderlines"]) == (order["order_id"], [order["orderlines"][0]["id"]])
    assert (delivery["datePickup"], delivery["dateDelivery"], delivery["hubScanned"]) == (None, None, False)
    client.post(url, json={"new_state": 3, "tracking_number": delivery["trackingNumber"]})
    (shipped,) = deliveries_of(client, order)
    assert shipped["hubScanned"]
    assert shipped["pickupInfo"]["datePickupActual"] == shipped["datePickup"]
    assert (shipped["dateDelivery"], shipped["dateCreation"]) == (None, delivery["dateCreation"])
    sandbox.advance_clock(86_400)
    sandbox.advance_order(order["order_id"], "confirm")
    (delivered,) = deliveries_of(client, order)
    assert delivered["dateDelivery"] > delivered["datePickup"]
    sandbox.advance_clock(86_400)
    client.post(url, json={"new_state": 6, "sku": PHONE})
    assert deliveries_of(client, order) == [delivered]
    assert client.get(f"{DELIVERIES}/{delivered['shipmentId']}").json() == delivered
    assert client.get(f"{DELIVERIES}/1").status_code == 404


def test_other_orders_have_no_delivery(sandbox: Sandbox, client: httpx.Client) -> None:
    """Only those on Back Market's own shipping; seeded ones have theirs."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True)
    assert deliveries_of(client, order) == []
    expected = {
        order["order_id"]
        for order in sandbox.orders()
        if order["is_backship"] and {line["state"] for line in order["orderlines"]} & {2, 3, 5, 6}
    }
    shown = client.get(DELIVERIES).json()
    assert {delivery["order"] for delivery in shown["results"]} == expected
    assert expected


def test_a_return_is_made_by_the_customer_and_arrives(sandbox: Sandbox, client: httpx.Client) -> None:
    """Of any order, with the fields of the description; picked up and delivered when the test says so."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True)
    made = sandbox.create_return(order["orderlines"][0]["id"])
    shown = client.get(f"{RETURNS}/{made['id']}").json()
    assert shown.keys() == _BOTH | {"orderId", "orderlineId", "label"}
    assert (shown["orderId"], shown["orderlineId"], shown["type"]) == (
        order["order_id"], order["orderlines"][0]["id"], "RETURN",
    )  # fmt: skip
    assert (shown["datePickup"], shown["dateDelivery"], shown["hubScanned"]) == (None, None, False)
    sandbox.move_return(made["id"], delivered=datetime(2026, 9, 15, 10, tzinfo=UTC))
    assert client.get(RETURNS, params={"order_id": order["order_id"]}).json()["results"] == [
        {
            **shown,
            "datePickup": "2026-09-15T12:00:00+02:00",
            "dateDelivery": "2026-09-15T12:00:00+02:00",
            "hubScanned": True,
        }
    ]
    assert client.get(f"{RETURNS}/1").status_code == 404


def test_filters(sandbox: Sandbox, client: httpx.Client) -> None:
    """Bounds are inclusive; the order's state and the scan count; nothing picked up is in no span of pickups."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True, overrides={"state": 9})
    moment = datetime(2020, 5, 5, 6, 58, 31, tzinfo=UTC)
    number = sandbox.create_return(order["orderlines"][0]["id"], created=moment)["id"]

    def found(**params: str) -> bool:
        return number in [each["shipmentId"] for each in client.get(RETURNS, params=params).json()["results"]]

    second = timedelta(seconds=1)
    assert found(end_date="2020-05-05T06:58:31")
    assert not found(end_date=(moment - second).isoformat())
    assert found(start_date=moment.isoformat(), end_date=moment.isoformat())
    assert not found(end_date=moment.isoformat(), start_date=(moment + second).isoformat())
    assert found(end_date=moment.isoformat(), order_state="9", hub_scanned="false")
    assert not found(end_date=moment.isoformat(), order_state="3")
    assert not found(pickup_end_date="2999-01-01T00:00:00Z")
    sandbox.move_return(number, picked_up=moment)
    assert found(pickup_start_date=moment.isoformat(), pickup_end_date=moment.isoformat(), hub_scanned="true")
    assert not found(pickup_end_date=(moment - second).isoformat())


@pytest.mark.parametrize("path", [DELIVERIES, RETURNS])
def test_a_filter_that_cannot_be_read_is_named(client: httpx.Client, path: str) -> None:
    """422 with the field, spelled as answers spell it."""
    answer = client.get(path, params={"order_id": "x"})
    assert (answer.status_code, answer.json()) == (
        422,
        {
            "error": {"code": "E009", "message": "Validation error"},
            "data": {"fields": {"orderId": ["An integer is needed."]}},
        },
    )
    for query in ("start_date=yesterday", "order_state=10", "hub_scanned=1"):
        assert client.get(f"{path}?{query}").status_code == 422


def test_pages_of_thirty(sandbox: Sandbox, client: httpx.Client) -> None:
    """`count` is the whole list's; the page after the last does not exist."""
    order = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True)
    for _ in range(31):
        sandbox.create_return(order["orderlines"][0]["id"])
    pages = [client.get(RETURNS, params={"order_id": order["order_id"], "page": n}).json() for n in (1, 2)]
    assert [(page["count"], len(page["results"])) for page in pages] == [(31, 30), (31, 1)]
    assert pages[1]["next"] is None
    assert client.get(RETURNS, params={"order_id": order["order_id"], "page": 3}).status_code == 404


def test_about_half_of_what_was_refunded_came_back(sandbox: Sandbox) -> None:
    """Seeded returns belong to lines in state 6 and were delivered before the refund."""
    refunded = {line["id"] for order in sandbox.orders() for line in order["orderlines"] if line["state"] == 6}
    returned = {parcel["orderline_id"] for parcel in sandbox.returns()}
    assert returned < refunded
    assert 0.2 * len(refunded) < len(returned) < 0.8 * len(refunded)
    assert all(parcel["created"] <= parcel["picked_up"] <= parcel["delivered"] for parcel in sandbox.returns())
