"""Of several readings of one order the newest stays, in whatever order they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.models import Order
from backmarket.warehouse import orders
from backmarket.warehouse.orders import OrderStaging, mark_gone

if TYPE_CHECKING:
    import psycopg

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
MODIFIED = "2026-09-01T11:00:00Z"
IMEI = "356789104412349"


def _order(imei: str = "", *, modified: str | None = MODIFIED, single_at: datetime | None = None) -> Order:
    """An order of one line; read by id where ``single_at`` tells when."""
    line = {"id": 70, "state": 3, "quantity": 1, "listing": "A-1", "imei": imei}
    document = {"order_id": 7, "state": 3, "orderlines": [line], "date_modification": modified}
    return Order.model_validate(document, context={"served_at": single_at})


def _stored_imei(warehouse: psycopg.Connection[Any]) -> str | None:
    ((imei,),) = warehouse.execute("select imei from backmarket.order_lines").fetchall()
    return str(imei) if imei else None


def _merge(staging: OrderStaging) -> None:
    with staging.connection.transaction():
        staging.merge()
        staging.clear()


@pytest.mark.parametrize("modified", [MODIFIED, None])
@pytest.mark.parametrize("seconds", [0, 1, 30])
def test_a_page_that_was_read_first_and_is_stored_last_wipes_nothing(
    warehouse: psycopg.Connection[Any], modified: str | None, seconds: int
) -> None:
    """An IMEI is registered and read back; a page from before, even of the same second, comes late."""
    staging = OrderStaging(warehouse, "default")
    staging.add_single(_order(IMEI, modified=modified, single_at=NOON + timedelta(seconds=seconds)))
    _merge(staging)
    staging.add([_order(modified=modified)], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


@pytest.mark.parametrize("modified", [MODIFIED, None])
def test_a_page_that_was_read_later_wins(warehouse: psycopg.Connection[Any], modified: str | None) -> None:
    """From the next second on, a list may correct what was read by id."""
    staging = OrderStaging(warehouse, "default")
    staging.add_single(_order(modified=modified, single_at=NOON))
    _merge(staging)
    staging.add([_order(IMEI, modified=modified)], read_at=NOON + timedelta(seconds=1))
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


@pytest.mark.parametrize("modified", [MODIFIED, None])
def test_pages_are_staged_as_they_arrive_and_count_as_they_were_served(
    warehouse: psycopg.Connection[Any], modified: str | None
) -> None:
    """Several are under way at a time: the one served first may arrive last."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order(IMEI, modified=modified)], read_at=NOON + timedelta(seconds=2))
    staging.add([_order(modified=modified)], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_of_one_second_the_later_arrival_wins(warehouse: psycopg.Connection[Any]) -> None:
    """Nothing else tells them apart."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order()], read_at=NOON)
    staging.add([_order(IMEI)], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_a_newer_document_wins_whenever_it_was_read(warehouse: psycopg.Connection[Any]) -> None:
    """A stale answer, as caches give them, may be read last."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order(IMEI, modified="2026-09-01T11:00:01Z")], read_at=NOON)
    staging.add([_order()], read_at=NOON + timedelta(seconds=9))
    _merge(staging)
    staging.add([_order()], read_at=NOON + timedelta(seconds=10))
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


IMPOSSIBLE = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize("at_once", [True, False])
def test_an_impossible_date_freezes_nothing(warehouse: psycopg.Connection[Any], *, at_once: bool) -> None:
    """A modification after the very reading that shows it proves nothing: what is read later wins."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order(modified=IMPOSSIBLE)], read_at=NOON)
    if not at_once:
        _merge(staging)
    staging.add([_order(IMEI)], read_at=NOON + timedelta(seconds=1))
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI
    staging.add([_order(modified=IMPOSSIBLE)], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


@pytest.mark.parametrize("modified", [MODIFIED, IMPOSSIBLE])
def test_the_reading_after_a_write_is_stored_over_an_impossible_date(
    warehouse: psycopg.Connection[Any], modified: str
) -> None:
    """Of the same second, too, and whether or not the impossible date is still there."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order(modified=IMPOSSIBLE)], read_at=NOON)
    _merge(staging)
    staging.add_single(_order(IMEI, modified=modified, single_at=NOON))
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_a_change_within_the_second_of_its_reading_is_possible(warehouse: psycopg.Connection[Any]) -> None:
    """Back Market's clock tells whole seconds: what changed within the one it names may still be newer."""
    staging = OrderStaging(warehouse, "default")
    staging.add_single(_order(modified="2026-09-01T12:00:00.200Z", single_at=NOON))
    _merge(staging)
    staging.add([_order(IMEI, modified="2026-09-01T12:00:00.900Z")], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_an_impossible_date_keeps_no_address_for_ever(warehouse: psycopg.Connection[Any]) -> None:
    """Personal data grows old by when it was read, too."""
    document = {
        "order_id": 7,
        "state": 9,
        "orderlines": [],
        "date_modification": IMPOSSIBLE,
        "shipping_address": {"first_name": "Ada"},
    }
    staging = OrderStaging(warehouse, "default")
    staging.add([Order.model_validate(document)], read_at=datetime(2020, 1, 1, tzinfo=UTC))
    _merge(staging)
    assert orders.purge_personal_data(warehouse, "default", days=30).addresses == 1


def test_without_a_date_the_time_of_reading_decides(warehouse: psycopg.Connection[Any]) -> None:
    """A document that says not when it was modified is compared by when it was read, with dated ones, too."""
    staging = OrderStaging(warehouse, "default")
    staging.add([_order(modified=None)], read_at=NOON + timedelta(seconds=1))
    staging.add([_order(IMEI)], read_at=NOON + timedelta(seconds=2))
    _merge(staging)
    staging.add([_order(modified=None)], read_at=NOON)
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI
    staging.add([_order(modified=None)], read_at=NOON + timedelta(seconds=3))
    _merge(staging)
    assert _stored_imei(warehouse) is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_the_order_of_storing_decides_nothing(
    warehouse: psycopg.Connection[Any], order: tuple[int, ...], *, at_once: bool
) -> None:
    """A page, the reading after the write, and a page of the same second: the reading after the write stays."""
    staging = OrderStaging(warehouse, "default")
    for number in order:
        if number == 1:
            staging.add_single(_order(IMEI, single_at=NOON))
        else:
            staging.add([_order()], read_at=NOON - timedelta(seconds=number))
        if not at_once:
            _merge(staging)
    if at_once:
        _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_both_clocks_are_back_markets(warehouse: psycopg.Connection[Any]) -> None:
    """However far this machine's clock is off, a page that was read later wins."""
    staging = OrderStaging(warehouse, "default")
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    staging.add_single(_order(single_at=long_ago))
    _merge(staging)
    staging.add([_order(IMEI)], read_at=long_ago + timedelta(seconds=1))
    _merge(staging)
    assert _stored_imei(warehouse) == IMEI


def test_an_order_that_is_gone_counts_as_asked_for_in_vain(warehouse: psycopg.Connection[Any]) -> None:
    """Each reading that misses it counts, until it is known again."""
    staging = OrderStaging(warehouse, "default")
    staging.add_single(_order(single_at=NOON))
    _merge(staging)
    mark_gone(warehouse, "default", [7])
    for _ in range(3):
        orders.note_absent(warehouse, "default", [7])
        orders.forget_found(warehouse, "default", named=[7])
    assert orders.asked_orders(warehouse, "default")[7].attempts == 3
    staging.add_single(_order(single_at=NOON + timedelta(hours=1)))
    _merge(staging)
    orders.forget_found(warehouse, "default", named=[7])
    assert orders.asked_orders(warehouse, "default") == {}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"shipper": "UPS Ground", "shipper_display": "UPS"}, "UPS Ground"),
        ({"shipper": "", "shipper_display": "UPS"}, "UPS"),
        ({"shipper_display": "UPS"}, "UPS"),
        ({}, None),
    ],
)
def test_the_carrier_is_stored_under_either_name(
    warehouse: psycopg.Connection[Any], given: dict[str, str], stored: str | None
) -> None:
    """The spec has ``shipper_display`` alone; production has ``shipper``, too, which goes before."""
    line = {"id": 70, "state": 3, "quantity": 1, "listing": "A-1"}
    document = {"order_id": 7, "state": 3, "orderlines": [line], "date_modification": MODIFIED, **given}
    staging = OrderStaging(warehouse, "default")
    staging.add([Order.model_validate(document)], read_at=NOON)
    _merge(staging)
    assert warehouse.execute("select shipper from backmarket.orders").fetchall() == [(stored,)]
