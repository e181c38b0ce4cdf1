"""What an order shows in a form that cannot be read lets nothing out that could not be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.models import Order
from backmarket.rules.identifiers import Identifiers, judge_identifiers
from backmarket.rules.shipping import judge_tracking
from backmarket.warehouse.tracking_imei import facts_of_document

if TYPE_CHECKING:
    from backmarket.rules.order_facts import OrderFacts

LINE: dict[str, Any] = {"id": 2, "state": 2, "quantity": 1, "listing": "A"}
IMEI = "352099001761481"


def _facts(line: dict[str, Any] | None = None, **fields: Any) -> OrderFacts:
    lines = [{**LINE, **(line or {})}]
    return facts_of_document(Order.model_validate({"order_id": 1, "state": 3, "orderlines": lines, **fields}))


@pytest.mark.parametrize("name", ["imei", "serial_number"])
@pytest.mark.parametrize("odd", [{"a": 1}, [IMEI], True])
def test_an_identifier_that_cannot_be_read_is_another_one(name: str, odd: object) -> None:
    """Back Market never corrects one, so none is sent over it."""
    wanted = Identifiers(imei=IMEI) if name == "imei" else Identifiers(serial_number="C02")
    decision = judge_identifiers(_facts({name: odd}), 2, wanted)
    assert decision.verdict == "refuse"
    assert "is registered already" in decision.reason
    assert judge_identifiers(_facts({name: ""}), 2, wanted).verdict == "send"


@pytest.mark.parametrize("odd", ["maybe", 2, {"a": 1}, [], "yes please"])
def test_who_ships_is_not_guessed(odd: object) -> None:
    """A shipment waits; a missing or empty value still means that the seller ships."""
    assert judge_tracking(_facts(is_backship=odd), "6X1").verdict == "wait"
    for fields in ({}, {"is_backship": None}, {"is_backship": ""}, {"is_backship": False}):
        assert judge_tracking(_facts(**fields), "6X1").verdict == "send"


def test_a_tracking_number_that_cannot_be_read_is_another_parcels() -> None:
    """An order that is shipped in part gets no second number."""
    orderlines = [LINE, {**LINE, "id": 3, "state": 3}]
    decision = judge_tracking(_facts(orderlines=orderlines, tracking_number={"number": "6X9"}), "6X1")
    assert "a second shipment" in decision.reason
