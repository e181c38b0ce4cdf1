"""The ledger never lets a change go out twice, and never forgets one that may have gone out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.warehouse.ledger import Ledger, PlannedChange, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture
def ledger(warehouse: psycopg.Connection[Any]) -> Ledger:
    """The quantities of account ``default``."""
    return Ledger(warehouse, "default", "quantity")


def _quantities(**wanted: int) -> list[PlannedChange]:
    return [PlannedChange(sku, {"quantity": quantity}) for sku, quantity in wanted.items()]


def _statuses(ledger: Ledger) -> list[tuple[str, str]]:
    rows = ledger.connection.execute("select subject, status from backmarket.changes order by change_id").fetchall()
    return [(subject, status) for subject, status in rows]


def _ids(ledger: Ledger) -> Iterable[int]:
    return [change.change_id for change in ledger.planned()]


def test_a_plan_is_queued_in_its_order(ledger: Ledger) -> None:
    """Changes wait in the order in which the plan wants them sent."""
    ledger.plan(_quantities(B=0, A=1, C=5), run_id="run")
    assert [change.subject for change in ledger.planned()] == ["B", "A", "C"]


def test_a_new_plan_keeps_places_and_replaces_values(ledger: Ledger) -> None:
    """What waited goes first and takes its new value; what is wanted no more is superseded."""
    ledger.plan(_quantities(A=1, B=2), run_id="first")
    ledger.plan(_quantities(C=3, B=7), run_id="second")
    assert [(change.subject, change.payload) for change in ledger.planned()] == [
        ("B", {"quantity": 7}),
        ("C", {"quantity": 3}),
    ]
    assert ("A", "superseded") in _statuses(ledger)


def test_what_is_under_way_is_not_planned_again(ledger: Ledger) -> None:
    """While a change is sent or unknown, no second one of its kind enters the queue for its subject."""
    ledger.plan(_quantities(A=1), run_id="first")
    ids = ledger.mark_sent(_ids(ledger))
    ledger.plan(_quantities(A=2), run_id="second")
    assert ledger.planned() == []
    ledger.settle(ids, "unknown", "the answer was lost")
    ledger.plan(_quantities(A=2), run_id="third")
    assert ledger.planned() == []
    (lost,) = ledger.unsettled()
    assert (lost.subject, lost.status, lost.attempts) == ("A", "unknown", 1)
    assert lost.sent_at is not None
    ledger.settle([lost.change_id], "confirmed")
    ledger.plan(_quantities(A=2), run_id="fourth")
    assert [change.payload for change in ledger.planned()] == [{"quantity": 2}]


def test_only_one_of_many_runs_may_send(ledger: Ledger, warehouse_uri: str) -> None:
    """Eight runs that want to send the same change: one gets it."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = list(_ids(ledger))

    def send() -> set[int]:
        with psycopg.connect(warehouse_uri, autocommit=True) as connection:
            return Ledger(connection, "default", "quantity").mark_sent(ids)

    with ThreadPoolExecutor(8) as pool:
        taken = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert sorted(map(len, taken)) == [0] * 7 + [1]


def test_settling_ends_only_what_is_under_way(ledger: Ledger) -> None:
    """Whatever else waits, was decided or is wanted no more stays as it is, and is no error: another run was faster."""
    statuses = ("planned", "awaiting_approval", "dry_run", "confirmed", "refused", "superseded", "sent", "unknown")
    for attempts in (0, 1):
        for status in statuses:
            ledger.connection.execute(
                "insert into backmarket.changes (account, kind, subject, payload, status, reason, attempts) "
                "values ('default', 'quantity', %s, '{}', %s, 'as it was', %s)",
                [f"{status}-{attempts}", status, attempts],
            )
    others = "select to_jsonb(c) from backmarket.changes as c where subject !~ '^(sent|unknown)' order by change_id"
    before = ledger.connection.execute(others).fetchall()
    ids = [change_id for (change_id,) in ledger.connection.execute("select change_id from backmarket.changes")]
    assert len(before) == len(ids) - 4
    endings: tuple[Settlement, ...] = ("unknown", "confirmed", "refused", "planned", "superseded")
    for ending in endings:
        with ledger.connection.transaction(force_rollback=True):
            ledger.settle(ids, ending, "read back", batch_id=77)
            rows = ledger.connection.execute(
                "select status, batch_id from backmarket.changes where reason = 'read back'"
            ).fetchall()
            assert rows == [(ending, 77)] * 4
            assert ledger.connection.execute(others).fetchall() == before


def test_a_change_that_waits_again_is_not_settled(ledger: Ledger) -> None:
    """A run that was late to read back does not end what another run has put back into the queue meanwhile."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = ledger.mark_sent(_ids(ledger))
    ledger.settle(ids, "planned", "surely not applied")
    for ending in ("confirmed", "superseded"):
        ledger.settle(ids, ending, "read back late")
        assert _statuses(ledger) == [("A", "planned")]


def test_a_refusal_is_recorded_once(ledger: Ledger) -> None:
    """Repeating a plan does not repeat its refusals; another reason is another refusal."""
    for reason in ("too dear", "too dear", "too cheap"):
        ledger.plan([PlannedChange("A", {"price": "1.00"}, status="refused", reason=reason)], run_id="run")
    rows = ledger.connection.execute("select reason from backmarket.changes order by change_id").fetchall()
    assert rows == [("too dear",), ("too cheap",)]


def test_a_dry_run_is_recorded_and_never_sent(ledger: Ledger) -> None:
    """The plan stands in the same table, once, and cannot be marked sent."""
    for _ in range(2):
        ledger.plan([PlannedChange("A", {"quantity": 1}, status="dry_run")], run_id="run")
    assert _statuses(ledger) == [("A", "dry_run")]
    assert ledger.planned() == []
    row = ledger.connection.execute("select change_id from backmarket.changes").fetchone()
    assert row is not None
    assert ledger.mark_sent([row[0]]) == set()


def test_a_change_that_surely_was_not_applied_waits_again(ledger: Ledger) -> None:
    """It goes back into the queue with its attempts counted."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = ledger.mark_sent(_ids(ledger))
    ledger.settle(ids, "planned", "429")
    assert [(change.subject, change.attempts) for change in ledger.planned()] == [("A", 1)]


def test_kinds_markets_and_accounts_do_not_meet(ledger: Ledger, warehouse: psycopg.Connection[Any]) -> None:
    """A price per market, a quantity for all, and another account's quantity are four different changes."""
    ledger.plan(_quantities(A=1), run_id="run")
    prices = Ledger(warehouse, "default", "price")
    prices.plan([PlannedChange("A", {"price": "9.99"}, market=market) for market in ("fr-fr", "de-de")], run_id="run")
    Ledger(warehouse, "other", "quantity").plan(_quantities(A=3), run_id="run")
    assert len(ledger.planned()) == 1
    assert len(prices.planned()) == 2
    ledger.plan([], run_id="run")
    assert len(prices.planned()) == 2


def test_a_refusal_ends_when_its_reason_does_and_keeps_it(ledger: Ledger) -> None:
    """What is refused here tells how things stand: it is superseded once the plan refuses it no more."""
    refused = PlannedChange("A", {"quantity": 0}, status="refused", reason="the feed looks broken")
    ledger.plan([refused], run_id="first")
    ledger.plan([refused], run_id="second")
    assert _statuses(ledger) == [("A", "refused")]
    ledger.plan([], run_id="third")
    rows = ledger.connection.execute("select status, reason from backmarket.changes").fetchall()
    assert rows == [("superseded", "the feed looks broken")]


def test_a_refusal_of_back_market_stays(ledger: Ledger) -> None:
    """What was sent and refused is history, whatever later plans say."""
    ledger.plan(_quantities(A=1), run_id="first")
    ledger.settle(ledger.mark_sent(_ids(ledger)), "refused", "Back Market says no")
    ledger.plan([], run_id="second")
    assert _statuses(ledger) == [("A", "refused")]


def test_what_was_turned_away_counts_as_never_sent(ledger: Ledger) -> None:
    """Too many requests say nothing of the change: it waits as before, without an attempt more."""
    ledger.plan(_quantities(A=1), run_id="first")
    ledger.take_back(ledger.mark_sent(_ids(ledger)), "too many requests")
    assert [(change.subject, change.attempts) for change in ledger.planned()] == [("A", 0)]


def test_a_batch_number_is_kept_though_another_run_looked_first(ledger: Ledger) -> None:
    """Lines that another run set to unknown meanwhile still learn which batch carries them out."""
    ledger.plan(_quantities(A=1), run_id="first")
    ids = ledger.mark_sent(_ids(ledger), in_batch=True)
    ledger.settle(ids, "unknown", "looked at by another run")
    ledger.record_batch(ids, 77)
    assert [(change.batch_id, change.in_batch) for change in ledger.unsettled()] == [(77, True)]


def test_a_listing_that_appears_late_is_confirmed(warehouse: psycopg.Connection[Any]) -> None:
    """Sent, waited for in vain and queued again: what turns out to exist is settled; what was never sent is not."""
    from backmarket.warehouse.catalog import Catalog

    ledger = Ledger(warehouse, "default", "listing")
    ledger.plan([PlannedChange("LATE", {}), PlannedChange("NEVER-SENT", {})], run_id="first")
    late = next(change for change in ledger.planned() if change.subject == "LATE")
    ledger.settle(ledger.mark_sent([late.change_id], in_batch=True), "planned", "no listing has appeared")
    for sku in ("late", "never-sent"):
        warehouse.execute(
            "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
            "values ('default', gen_random_uuid(), %s, 'fr-fr', 1, now(), now())",
            [sku],
        )
    Catalog(warehouse, "default").confirm_appeared("listing")
    assert _statuses(ledger) == [("LATE", "confirmed"), ("NEVER-SENT", "planned")]
