"""The ledger never lets a change go out twice, and never forgets one that may have gone out."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.warehouse.ledger import KINDS, Ledger, PlannedChange, PlannedStatus, RecordedChange, Settlement
from backmarket.warehouse.listings import Catalog

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
    ids = ledger.mark_sent(ledger.planned())
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


def test_when_an_answer_was_lost_is_kept(ledger: Ledger) -> None:
    """Not when reading back failed later, too; sent again, it is another request."""
    ledger.plan(_quantities(A=1), run_id="first")
    ids = ledger.mark_sent(ledger.planned())
    (sent,) = ledger.unsettled()
    assert sent.lost_at is None
    ledger.settle(ids, "unknown", "the answer was lost")
    (lost,) = ledger.unsettled()
    assert sent.sent_at
    assert lost.lost_at
    assert lost.lost_at > sent.sent_at
    ledger.settle(ids, "unknown", "reading it back failed, too")
    assert ledger.unsettled()[0].lost_at == lost.lost_at
    ledger.settle(ids, "planned")
    ledger.mark_sent(ledger.planned())
    assert ledger.unsettled()[0].lost_at is None


def test_why_a_change_is_wanted_stays_with_it(ledger: Ledger) -> None:
    """Sent, lost, and ended: beside whatever is said of its end."""
    reason = "select reason from backmarket.changes"
    ledger.plan([PlannedChange("A", {"quantity": 1, "why": "it wins"})], run_id="run")
    ids = ledger.mark_sent(ledger.planned())
    assert ledger.connection.execute(reason).fetchall() == [("it wins",)]
    ledger.settle(ids, "unknown", "the answer was lost")
    assert ledger.connection.execute(reason).fetchall() == [("it wins; the answer was lost",)]
    ledger.settle(ids, "confirmed")
    assert ledger.connection.execute(reason).fetchall() == [("it wins",)]


def test_only_one_of_many_runs_may_send(ledger: Ledger, warehouse_uri: str) -> None:
    """Eight runs that want to send the same change: one gets it."""
    ledger.plan(_quantities(A=1), run_id="run")
    planned = ledger.planned()

    def send() -> set[int]:
        with psycopg.connect(warehouse_uri, autocommit=True) as connection:
            return Ledger(connection, "default", "quantity").mark_sent(planned)

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
            ledger.record_batch(ids, 77)
            ledger.settle(ids, ending, "read back")
            rows = ledger.connection.execute(
                "select status, batch_id from backmarket.changes where reason = 'read back'"
            ).fetchall()
            assert rows == [(ending, 77)] * 4
            assert ledger.connection.execute(others).fetchall() == before


def test_a_change_that_waits_again_is_not_settled(ledger: Ledger) -> None:
    """A run that was late to read back does not end what another run has put back into the queue meanwhile."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = ledger.mark_sent(ledger.planned())
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
    assert ledger.mark_sent([RecordedChange(row[0], "A", "", {"quantity": 1}, 0)]) == set()


def test_what_was_planned_otherwise_since_it_was_read_is_not_sent(ledger: Ledger) -> None:
    """Another run plans another value while this one holds the old: it would be sent, and the new one confirmed."""
    ledger.plan(_quantities(A=5, B=1), run_id="run")
    read = ledger.planned()
    ledger.plan(_quantities(A=6, B=1), run_id="another run")
    taken = ledger.mark_sent(read, in_batch=True)
    assert [change.subject for change in read if change.change_id in taken] == ["B"]


def test_a_change_that_surely_was_not_applied_waits_again(ledger: Ledger) -> None:
    """It goes back into the queue with its attempts counted."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = ledger.mark_sent(ledger.planned())
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
    ledger.settle(ledger.mark_sent(ledger.planned()), "refused", "Back Market says no")
    ledger.plan([], run_id="second")
    assert _statuses(ledger) == [("A", "refused")]


def test_what_was_turned_away_counts_as_never_sent(ledger: Ledger) -> None:
    """Too many requests say nothing of the change: it waits as before, without an attempt more."""
    ledger.plan(_quantities(A=1), run_id="first")
    ledger.take_back(ledger.mark_sent(ledger.planned()), "too many requests")
    assert [(change.subject, change.attempts) for change in ledger.planned()] == [("A", 0)]


def test_a_batch_number_is_kept_though_another_run_looked_first(ledger: Ledger) -> None:
    """Lines that another run set to unknown meanwhile still learn which batch carries them out."""
    ledger.plan(_quantities(A=1), run_id="first")
    ids = ledger.mark_sent(ledger.planned(), in_batch=True)
    ledger.settle(ids, "unknown", "looked at by another run")
    ledger.record_batch(ids, 77)
    assert [(change.batch_id, change.in_batch) for change in ledger.unsettled()] == [(77, True)]


def test_a_listing_that_appears_late_is_confirmed(warehouse: psycopg.Connection[Any]) -> None:
    """Sent, waited for in vain and queued again: what turns out to exist is settled; what was never sent is not."""
    ledger = Ledger(warehouse, "default", "listing")
    ledger.plan([PlannedChange("LATE", {}), PlannedChange("NEVER-SENT", {})], run_id="first")
    late = next(change for change in ledger.planned() if change.subject == "LATE")
    ledger.settle(ledger.mark_sent([late], in_batch=True), "planned", "no listing has appeared")
    for sku in ("late", "never-sent"):
        warehouse.execute(
            "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
            "values ('default', gen_random_uuid(), %s, 'fr-fr', 1, now(), now())",
            [sku],
        )
    Catalog(warehouse, "default").confirm_appeared("listing")
    assert _statuses(ledger) == [("LATE", "confirmed"), ("NEVER-SENT", "planned")]


def test_a_line_that_was_sent_before_and_is_found_listed_was_ours(
    ledger: Ledger, warehouse: psycopg.Connection[Any]
) -> None:
    """Its answer was lost and its listing was not there yet; one that was never sent is somebody else's listing."""
    listings = Ledger(warehouse, "default", "listing")
    listings.plan([PlannedChange(sku, {"columns": {"sku": sku}}) for sku in ("OURS", "THEIRS")], run_id="run")
    ours, theirs = listings.planned()
    listings.mark_sent([ours], in_batch=True)
    listings.settle([ours.change_id], "planned", "no listing has appeared")
    Catalog(warehouse, "default").settle_listed([ours.change_id, theirs.change_id])
    rows = _rows(listings, "subject, status, confirmed_at is not null")
    assert rows == [("OURS", "confirmed", True), ("THEIRS", "superseded", False)]


def _rows(ledger: Ledger, columns: str) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(f"select {columns} from backmarket.changes order by change_id").fetchall()


def test_a_change_that_is_sent_again_forgets_how_it_was_sent_before(ledger: Ledger) -> None:
    """Why it waited, and the batch that carried it, say nothing about the new request."""
    ledger.plan(_quantities(A=1), run_id="run")
    ids = ledger.mark_sent(ledger.planned(), in_batch=True)
    ledger.record_batch(ids, 77)
    ledger.settle(ids, "planned", "the batch failed")
    ledger.mark_sent(ledger.planned())
    assert _rows(ledger, "status, reason, attempts, in_batch, batch_id") == [("sent", None, 2, False, None)]


def test_another_accounts_changes_are_out_of_reach(ledger: Ledger, warehouse: psycopg.Connection[Any]) -> None:
    """Neither its queue nor what it has under way is touched, though its ids are named."""
    other = Ledger(warehouse, "other", "quantity")
    other.plan(_quantities(A=1, B=2), run_id="run")
    planned, ids = other.planned(), list(_ids(other))
    ledger.plan([], run_id="run")
    assert ledger.mark_sent(planned) == set()
    assert len(other.planned()) == 2
    other.mark_sent(planned)
    ledger.record_batch(ids, 77)
    ledger.take_back(ids, "too many requests")
    ledger.settle(ids, "confirmed")
    assert _rows(other, "account, status, batch_id") == [("other", "sent", None)] * 2


def test_only_what_is_under_way_gets_a_batch_or_is_taken_back(ledger: Ledger) -> None:
    """What has ended keeps its own batch; what may have been applied does not go out again unread."""
    ledger.plan(_quantities(ENDED=1, LOST=2, SENT=3), run_id="run")
    ended, lost, sent = ledger.mark_sent(ledger.planned())
    ledger.record_batch([ended], 1)
    ledger.settle([ended], "confirmed")
    ledger.settle([lost], "unknown", "the answer was lost")
    ledger.record_batch([ended], 77)
    ledger.take_back([ended, lost, sent], "too many requests")
    assert _rows(ledger, "status, reason, attempts, batch_id") == [
        ("confirmed", None, 1, 1),
        ("unknown", "the answer was lost", 1, None),
        ("planned", "too many requests", 0, None),
    ]


def test_a_batch_is_remembered_and_only_what_is_confirmed_has_its_moment(ledger: Ledger) -> None:
    """Settling without a batch keeps the known one; a refusal, or a lost answer, was confirmed at no time."""
    ledger.plan(_quantities(A=1, B=2), run_id="run")
    ids = sorted(ledger.mark_sent(ledger.planned(), in_batch=True))
    ledger.record_batch(ids, 77)
    ledger.settle(ids, "unknown", "at work")
    assert _rows(ledger, "batch_id, confirmed_at is null") == [(77, True)] * 2
    ledger.settle(ids[:1], "confirmed")
    ledger.settle(ids[1:], "refused", "too dear")
    assert _rows(ledger, "batch_id, confirmed_at is null") == [(77, False), (77, True)]


def test_what_is_under_way_is_read_back_by_its_own_concern(ledger: Ledger, warehouse: psycopg.Connection[Any]) -> None:
    """Quantities read back no prices."""
    prices = Ledger(warehouse, "default", "price")
    prices.plan([PlannedChange("A", {"price": "1.00"})], run_id="run")
    prices.mark_sent(prices.planned())
    assert ledger.unsettled() == []
    assert len(prices.unsettled()) == 1


def test_whatever_was_not_sent_ends_with_the_plan_that_wanted_it(ledger: Ledger) -> None:
    """Waiting for a person or for the end of a dry run as well as planned; each market by itself."""
    statuses: tuple[PlannedStatus, ...] = ("planned", "awaiting_approval", "dry_run")
    for status in statuses:
        both = [PlannedChange(status, {"price": "1.00"}, market, status) for market in ("fr-fr", "de-de")]
        ledger.plan(both, run_id="first")
        ledger.plan(both[:1], run_id="second")
        assert _rows(ledger, "subject, market, status, reason")[-2:] == [
            (status, "fr-fr", status, None),
            (status, "de-de", "superseded", "a newer plan no longer contains it"),
        ]


def test_what_is_refused_now_is_not_sent_and_what_was_refused_may_be(ledger: Ledger) -> None:
    """A change that waits leaves the queue when a plan refuses it; a refusal ends when a plan wants the change."""
    wanted = PlannedChange("A", {"quantity": 0})
    refused = PlannedChange("A", {"quantity": 0}, status="refused", reason="the feed looks broken")
    ledger.plan([wanted], run_id="first")
    ledger.plan([refused], run_id="second")
    assert ledger.planned() == []
    assert _statuses(ledger) == [("A", "superseded"), ("A", "refused")]
    ledger.plan([wanted], run_id="third")
    assert _statuses(ledger) == [("A", "superseded"), ("A", "superseded"), ("A", "planned")]


def test_what_waits_takes_all_of_its_new_plan(ledger: Ledger) -> None:
    """Whether it needs a person, why, and which run planned it so."""
    ledger.plan([PlannedChange("A", {"price": "1.00"})], run_id="first")
    asked = PlannedChange("A", {"price": "1.00"}, status="awaiting_approval", reason="a large move")
    ledger.plan([asked], run_id="second")
    assert _rows(ledger, "status, reason, run_id") == [("awaiting_approval", "a large move", "second")]
    assert ledger.planned() == []


def test_each_subject_and_market_has_its_own_refusals(ledger: Ledger) -> None:
    """A refusal is known by the newest row of its own subject and market, whatever else was refused alike."""

    def refuse(*places: tuple[str, str], reason: str) -> None:
        ledger.plan(
            [PlannedChange(sku, {"price": "1.00"}, market, "refused", reason) for sku, market in places], run_id="run"
        )

    refuse(("A", "fr-fr"), reason="too dear")
    refuse(("A", "fr-fr"), ("A", "de-de"), ("B", "fr-fr"), reason="too dear")
    refuse(("A", "fr-fr"), ("A", "de-de"), ("B", "fr-fr"), reason="too cheap")
    refuse(("A", "fr-fr"), ("A", "de-de"), ("B", "fr-fr"), reason="too cheap")
    assert _rows(ledger, "subject, market, reason") == [
        (sku, market, reason)
        for reason in ("too dear", "too cheap")
        for sku, market in (("A", "fr-fr"), ("A", "de-de"), ("B", "fr-fr"))
    ]


def test_the_database_takes_the_kinds_of_changes_that_the_program_knows(ledger: Ledger) -> None:
    """One that it did not take would be found only when it is first planned."""
    row = ledger.connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'changes_kind_check'"
    ).fetchone()
    assert row is not None
    assert set(re.findall(r"'(\w+)'", row[0])) == set(KINDS)
