"""What people are told of late orders."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backmarket.services.alerts import late_message, late_sentence
from backmarket.warehouse.tracking_imei import LateOrder

DUE = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (
            LateOrder(7, "shipment", None, DUE, 3.5),
            "Order 7 waits for shipment, to ship by 2026-11-26 09:00 UTC (4 hours left).",
        ),
        (
            LateOrder(7, "stock", "stock: none", DUE, -2.5),
            "Order 7 waits for stock, to ship by 2026-11-26 09:00 UTC (2 hours overdue): stock: none",
        ),
        (
            LateOrder(7, "shipment", None, DUE, -2.5, is_backship=True),
            (
                "Order 7 (Backship) waits to be handed over, to ship by 2026-11-26 09:00 UTC (2 hours overdue): hand "
                "the parcel over under Back Market's label; no tracking comes from you."
            ),
        ),
        (
            LateOrder(7, "acceptance", None, DUE, 1.0, is_backship=True),
            "Order 7 waits for acceptance, to ship by 2026-11-26 09:00 UTC (1 hour left).",
        ),
    ],
    ids=["in time", "overdue", "Backship", "Backship, to accept"],
)
def test_a_late_order_says_what_can_be_done(order: LateOrder, told: str) -> None:
    """Overdue is said so; nobody is told to ship what goes under Back Market's label."""
    assert late_sentence(order) == told


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (4, "1 order has less than 4 hours left to ship, or none"),
        (0, "1 order has no time left to ship"),
        (-2, "1 order has been overdue for 2 hours or more"),
    ],
)
def test_a_limit_behind_the_ship_by_time_is_said_so(hours: int, told: str) -> None:
    """``backmarket_ship_by_alert_hours`` may be below 0; nobody has less than -2 hours left."""
    late = [LateOrder(7, "shipment", None, DUE, -2.5)]
    assert late_message("default", late, hours, "https://example.com").title == f"Back Market (default): {told}"
