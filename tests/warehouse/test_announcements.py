"""What changed is announced at least once: again by the run that claimed it, and by no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse import announcements, orders
from backmarket.warehouse.ledger import Kind, Ledger, PlannedChange, Settlement

if TYPE_CHECKING:
    import psycopg

    Warehouse = psycopg.Connection[Any]


def _note(warehouse: Warehouse, **counts: int) -> None:
    announcements.note(warehouse, "default", "orders", counts)


def _claim(warehouse: Warehouse, run_id: str, *, account: str = "default", thing: str = "orders") -> dict[str, int]:
    return dict(announcements.claim(warehouse, account, thing, run_id=run_id))


def test_a_change_is_announced_by_one_run_however_often_that_is_tried(warehouse: Warehouse) -> None:
    """Notes add up until a run claims them; what comes later is for it, too, or for the next."""
    _note(warehouse, new=2, changed=1)
    _note(warehouse, changed=3, gone=0)
    assert _claim(warehouse, "first") == {"new": 2, "changed": 4}
    assert _claim(warehouse, "first") == {"new": 2, "changed": 4}
    _note(warehouse, gone=1)
    assert _claim(warehouse, "second") == {"gone": 1}
    assert _claim(warehouse, "first") == {"new": 2, "changed": 4}
    assert _claim(warehouse, "third") == {}


def test_accounts_and_things_stand_apart(warehouse: Warehouse) -> None:
    """Nobody claims what is another's."""
    _note(warehouse, new=1)
    assert _claim(warehouse, "run", account="us") == {}
    assert _claim(warehouse, "run", thing="shipments") == {}
    assert _claim(warehouse, "run") == {"new": 1}


def test_what_was_not_stored_is_not_announced(warehouse: Warehouse) -> None:
    """The note goes with the transaction of its change."""
    with warehouse.transaction(force_rollback=True):
        _note(warehouse, new=1)
    assert _claim(warehouse, "run") == {}


def test_an_order_counts_as_gone_once(warehouse: Warehouse) -> None:
    """However often Back Market answers that it has none."""
    warehouse.execute(
        "insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at)"
        " values ('default', 1, 1, '{}', now(), now())"
    )
    for _ in range(2):
        orders.mark_gone(warehouse, "default", [1])
    assert _claim(warehouse, "run") == {"gone": 1}


@pytest.mark.parametrize(
    ("kind", "status", "thing", "noted"),
    [
        ("tracking", "confirmed", "shipments", {"confirmed": 2}),
        ("quantity", "confirmed", "inventory", {"confirmed": 2}),
        ("tracking", "refused", "shipments", {}),
        ("accept", "confirmed", "shipments", {}),
    ],
)
def test_what_is_settled_as_applied_is_noted(
    warehouse: Warehouse, kind: Kind, status: Settlement, thing: str, noted: dict[str, int]
) -> None:
    """Once a change, whoever settles it, and in which task."""
    ledger = Ledger(warehouse, "default", kind)
    ledger.plan([PlannedChange(subject, {"order_id": 1}) for subject in "AB"], run_id="run")
    ids = ledger.mark_sent(ledger.planned())
    for _ in range(2):
        ledger.settle(ids, status)
    assert _claim(warehouse, "run", thing=thing) == noted


def test_what_was_announced_long_ago_is_forgotten(warehouse: Warehouse) -> None:
    """After a month no run is tried again any more."""
    _note(warehouse, new=1)
    _claim(warehouse, "old")
    warehouse.execute("update backmarket.unannounced set claimed_at = now() - interval '31 days'")
    _claim(warehouse, "new")
    assert warehouse.execute("select count(*) from backmarket.unannounced").fetchone() == (0,)
