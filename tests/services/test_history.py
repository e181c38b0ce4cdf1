"""What is deleted of old histories in PostgreSQL, and that no plan comes out otherwise after it."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from backmarket.operators.alerts import BackMarketPurgeHistoryOperator
from backmarket.services.acceptance import Acceptance
from backmarket.services.history import history_is_due, purge_history
from backmarket.services.imei import Registration
from backmarket.services.prices import plan_prices
from backmarket.services.quantities import plan_quantities
from backmarket.services.tracking import Shipping
from backmarket.settings import (
    AcceptanceSettings,
    ImeiSettings,
    PhoneSettings,
    PriceSettings,
    QuantitySettings,
    TrackingSettings,
)

Database = psycopg.Connection[Any]
Subject = tuple[str, str, str]

PURGED = (
    "backbox_history",
    "backbox_requests",
    "changes",
    "listing_offer_history",
    "need_marks",
    "price_approvals",
    "settlement_findings",
    "settlement_finding_history",
    "settlement_reports",
    "sync_state",
)
OLD = timedelta(days=400)
NUMBER = {"imei": "353918057982916"}


def change(
    database: Database,
    kind: str,
    status: str,
    *,
    subject: str = "A",
    market: str = "",
    payload: dict[str, Any] | None = None,
    attempts: int = 1,
    ended: timedelta = OLD,
    account: str = "default",
    reason: str | None = None,
) -> None:
    """Record a change that was planned long ago."""
    ended_at = datetime.now(UTC) - ended
    database.execute(
        "insert into backmarket.changes (account, kind, subject, market, payload, status, reason, attempts, planned_at,"
        " sent_at, confirmed_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(account, kind, subject, market, Jsonb(payload or {}), status, reason, attempts),
            *(ended_at, ended_at if attempts else None, ended_at if status == "confirmed" else None),
        ],
    )


def purge(database: Database, days: int = 90, price_decision_days: int | None = 7) -> dict[str, int]:
    """Delete what ended more than 90 days ago."""
    return purge_history(database, "default", days=days, price_decision_days=price_decision_days)


def reasons(database: Database) -> list[str]:
    """What is left of the changes, by the reasons that tests name them by."""
    return [row[0] for row in database.execute("select reason from backmarket.changes order by change_id")]


@pytest.mark.parametrize("status", ["confirmed", "refused", "superseded"])
@pytest.mark.parametrize("attempts", [0, 1])
def test_the_newest_of_each_way_to_end_stays(warehouse: Database, status: str, attempts: int) -> None:
    """Of each subject and market, sent or not, whatever else came after it."""
    for name in ("goes", "goes, too", "stays"):
        change(warehouse, "price", status, market="fr-fr", attempts=attempts, reason=name)
    change(warehouse, "price", status, market="de-de", attempts=attempts, reason="another market")
    change(warehouse, "price", status, subject="B", market="fr-fr", attempts=attempts, reason="another SKU")
    change(warehouse, "quantity", status, attempts=attempts, reason="another kind")
    change(warehouse, "price", status, market="fr-fr", attempts=1 - attempts, reason="sent, or not")
    for other in {"confirmed", "refused", "superseded"} - {status}:
        change(warehouse, "price", other, market="fr-fr", attempts=attempts, reason=other)
    kept = reasons(warehouse)
    assert purge(warehouse)["changes"] == 2
    assert reasons(warehouse) == [reason for reason in kept if not reason.startswith("goes")]


@pytest.mark.parametrize("status", ["planned", "awaiting_approval", "dry_run", "sent", "unknown"])
def test_what_has_not_ended_stays(warehouse: Database, status: str) -> None:
    """However old it is, and whatever stands above it."""
    change(warehouse, "quantity", status, reason="not over")
    change(warehouse, "quantity", "superseded", reason="newer")
    assert purge(warehouse, days=0)["changes"] == 0


def test_what_ended_lately_stays(warehouse: Database) -> None:
    """Planned long ago and confirmed yesterday is young; another account's is none of this one's."""
    change(warehouse, "quantity", "confirmed", ended=timedelta(days=89), reason="young")
    for _ in range(2):
        change(warehouse, "quantity", "confirmed", account="us", reason="theirs")
    change(warehouse, "quantity", "confirmed", reason="newest")
    warehouse.execute("update backmarket.changes set planned_at = now() - interval '1 year'")
    assert purge(warehouse)["changes"] == 0
    assert purge(warehouse, days=88)["changes"] == 1
    assert reasons(warehouse) == ["theirs", "theirs", "newest"]


@pytest.mark.parametrize(
    ("kind", "status", "attempts", "payload"),
    [
        pytest.param("accept", "confirmed", 1, {}, id="when a line was accepted"),
        pytest.param("listing", "confirmed", 1, {}, id="a creation, for the hold"),
        pytest.param("listing", "refused", 1, {}, id="a row of the catalog that Back Market refused"),
        pytest.param("product", "refused", 1, {}, id="a product that Back Market refused"),
        pytest.param("imei", "confirmed", 1, NUMBER, id="a device that was registered"),
        pytest.param("imei", "refused", 1, {"serial_number": "S"}, id="a number that Back Market may have"),
        pytest.param("refund", "confirmed", 1, {"amount": "20.00"}, id="a part that was paid back"),
        pytest.param("invoice", "confirmed", 1, {"sha256": "a"}, id="an invoice that was sent"),
        pytest.param("tracking", "confirmed", 1, NUMBER, id="a device that went with a shipment"),
        pytest.param("tracking", "superseded", 2, NUMBER, id="a device that may have"),
    ],
)
def test_what_guards_later_decisions_stays(
    warehouse: Database, kind: str, status: str, attempts: int, payload: dict[str, Any]
) -> None:
    """All of it, not only the newest; what was planned alike and never sent goes."""
    for name in ("first", "second"):
        change(warehouse, kind, status, attempts=attempts, payload=payload, reason=name)
    for name in ("never sent", "never sent, either"):
        change(warehouse, kind, "refused", attempts=0, payload=payload, reason=name)
    purge(warehouse, days=0)
    assert reasons(warehouse) == ["first", "second", "never sent, either"]


@pytest.mark.parametrize(("moves_kept", "left"), [(timedelta(days=4), 3), (timedelta(days=1), 2), (None, 4)])
def test_moves_that_repricing_still_needs_stay(warehouse: Database, moves_kept: timedelta | None, left: int) -> None:
    """All of them, not the newest alone: they are counted, and rest since the last that lowered the price."""
    for days in (5, 3, 0.5, 0.1):
        change(warehouse, "price", "confirmed", market="fr-fr", payload={"why": "x"}, ended=timedelta(days=days))
    for _ in range(2):
        change(warehouse, "price", "confirmed", market="de-de", payload={}, ended=timedelta(days=0.1))
    assert purge_history(warehouse, "default", days=0, price_decision_days=7, moves_kept=moves_kept)["changes"] == (
        5 - left
    )


def test_a_row_that_a_plan_works_on_is_left_to_the_next_time(warehouse: Database, warehouse_uri: str) -> None:
    """Neither waits for the other."""
    for name in ("worked on", "newest"):
        change(warehouse, "quantity", "refused", attempts=0, reason=name)
    with psycopg.connect(warehouse_uri) as planning:
        planning.execute("update backmarket.changes set status = 'superseded' where reason = 'worked on'")
        assert purge(warehouse)["changes"] == 0
    assert reasons(warehouse) == ["worked on", "newest"]


def test_offers_keep_the_last_that_each_market_showed(warehouse: Database) -> None:
    """With it the next reading is compared: without it, it would be a change."""
    warehouse.execute(
        "insert into backmarket.listing_offer_history (account, id, market, changed_at, quantity) "
        "select account, md5(id)::uuid, market, now() - age, quantity from (values "
        "('default', 'A', 'fr-fr', interval '3 years', 1), ('default', 'A', 'fr-fr', interval '2 years', 2), "
        "('default', 'A', 'de-de', interval '3 years', 3), ('default', 'B', 'fr-fr', interval '3 years', 4), "
        "('default', 'B', 'fr-fr', interval '1 hour', 5), ('us', 'A', 'fr-fr', interval '3 years', 6), "
        "('us', 'A', 'fr-fr', interval '2 years', 7)) as shown (account, id, market, age, quantity)"
    )
    assert purge(warehouse)["offer_history"] == 2
    rows = warehouse.execute("select quantity from backmarket.listing_offer_history order by 1").fetchall()
    assert [row[0] for row in rows] == [2, 3, 5, 6, 7]


def test_an_offer_without_a_price_keeps_the_last_that_it_showed(warehouse: Database) -> None:
    """A move is measured from it: without it, a slip would be a first price, and go without a person."""
    warehouse.execute(
        "insert into backmarket.listing_offer_history (account, id, market, changed_at, price, quantity) "
        "select 'default', md5(id)::uuid, 'fr-fr', now() - age, price, quantity from (values "
        "('A', interval '4 years', 200, 1), ('A', interval '3 years', 300, 2), ('A', interval '2 years', 0, 3), "
        "('A', interval '1 year', null, 4), ('A', interval '1 hour', null, 5), "
        "('B', interval '3 years', null, 6), ('B', interval '2 years', 300, 7)) as shown (id, age, price, quantity)"
    )
    assert purge(warehouse)["offer_history"] == 4
    rows = warehouse.execute("select quantity from backmarket.listing_offer_history order by 1").fetchall()
    assert [row[0] for row in rows] == [2, 5, 7]


def test_the_competition_keeps_the_last_of_each_market_and_the_requests_of_this_hour(warehouse: Database) -> None:
    """Nothing has changed since then, so it still holds; and no purge makes room for more requests."""
    warehouse.execute(
        "insert into backmarket.backbox_history (account, id, market, read_at, price, currency, is_winning) "
        "select account, md5(id)::uuid, market, now() - age, price, 'EUR', true from (values "
        "('default', 'A', 'fr-fr', interval '3 years', 1), ('default', 'A', 'fr-fr', interval '2 years', 2), "
        "('default', 'A', 'de-de', interval '3 years', 3), ('default', 'B', 'fr-fr', interval '3 years', 4), "
        "('default', 'B', 'fr-fr', interval '1 hour', 5), ('us', 'A', 'fr-fr', interval '3 years', 6), "
        "('us', 'A', 'fr-fr', interval '2 years', 7)) as shown (account, id, market, age, price)"
    )
    warehouse.execute(
        "insert into backmarket.backbox_requests (account, hour, requests) "
        "select 'default', date_trunc('hour', now()) - n * interval '1 year', n from generate_series(0, 2) as n"
    )
    counts = purge(warehouse)
    assert (counts["backbox_history"], counts["backbox_requests"]) == (2, 2)
    rows = warehouse.execute("select price from backmarket.backbox_history order by 1").fetchall()
    assert [row[0] for row in rows] == [2, 3, 5, 6, 7]
    purge(warehouse, days=0)
    assert warehouse.execute("select requests from backmarket.backbox_requests").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("days", "decision_days", "left"),
    [(0, 7, ["asked", "fresh"]), (30, 7, ["asked", "fresh", "old"]), (0, None, ["asked", "fresh", "old", "ancient"])],
)
def test_decisions_about_prices_stay_while_they_hold(
    warehouse: Database, days: int, decision_days: int | None, left: list[str]
) -> None:
    """And at least as long as all history; an open question, whatever its age; all, where it cannot be told."""
    warehouse.execute(
        "insert into backmarket.price_approvals (account, sku, market, old_price, new_price, currency, reason, status,"
        " run_id, asked_at, decided_at) select 'default', sku, 'fr-fr', 1, 2, 'EUR', '', status, 'r', now() - age,"
        " case when status <> 'asked' then now() - age end from (values ('asked', 'asked', interval '1 year'), "
        "('fresh', 'approved', interval '6 days'), ('old', 'refused', interval '8 days'), "
        "('ancient', 'expired', interval '1 year')) as asked (sku, status, age)"
    )
    purge(warehouse, days, decision_days)
    rows = warehouse.execute("select sku from backmarket.price_approvals order by asked_at desc").fetchall()
    assert sorted(row[0] for row in rows) == sorted(left)


def test_open_findings_stay_with_their_last_word(warehouse: Database) -> None:
    """Closed ones go with all of their history, and open again as if they were new."""
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, day, currency, detail, documents, status,"
        " opened_at, closed_at) select 'default', 'missing_sale', subject, '2020-01-01', 'EUR', '', '[]', "
        "case when closed is null then 'open' else 'closed' end, now() - interval '3 years', now() - closed "
        "from (values ('open', null), ('closed', interval '1 year'), ('closed lately', interval '1 day')) "
        "as finding (subject, closed)"
    )
    warehouse.execute(
        "insert into backmarket.settlement_finding_history (account, kind, subject, changed_at, status) "
        "select 'default', 'missing_sale', subject, now() - age, status from (values "
        "('open', interval '3 years', 'open'), ('open', interval '2 years', 'open again'), "
        "('closed', interval '3 years', 'open'), ('closed', interval '1 year', 'closed'), "
        "('closed lately', interval '3 years', 'open'), ('closed lately', interval '1 day', 'closed')) "
        "as history (subject, age, status)"
    )
    counts = purge(warehouse)
    assert (counts["closed_findings"], counts["finding_history"]) == (1, 4)
    rows = warehouse.execute("select subject from backmarket.settlement_findings order by 1").fetchall()
    assert rows == [("closed lately",), ("open",)]
    history = warehouse.execute("select subject, status from backmarket.settlement_finding_history order by 1")
    assert history.fetchall() == [("closed lately", "closed"), ("open", "open again")]


def test_the_newest_settlement_report_stays(warehouse: Database) -> None:
    """It says when settlements last succeeded."""
    warehouse.execute(
        "insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html, created_at) "
        "select 'default', n, '2020-01-01', '2020-01-31', '', now() - n * interval '1 year' "
        "from generate_series(1, 3) as n"
    )
    assert purge(warehouse)["settlement_reports"] == 2
    assert warehouse.execute("select run_id from backmarket.settlement_reports").fetchall() == [("1",)]


def test_it_is_due_once_a_day(warehouse: Database) -> None:
    """Looking through everything takes a while, and a day more or less does not matter."""
    now = datetime.now(UTC)
    assert history_is_due(warehouse, "default", now)
    purge(warehouse)
    assert not history_is_due(warehouse, "default", now + timedelta(hours=23))
    assert history_is_due(warehouse, "default", now + timedelta(hours=25))


def test_the_task_keeps_to_its_variable(warehouse: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted by default, nor while the main switch is off; and a slip among the prices stops nothing."""
    for _ in range(2):
        change(warehouse, "quantity", "confirmed")
    task = BackMarketPurgeHistoryOperator(task_id="purge_history")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "on")
    with pytest.raises(AirflowSkipException, match="backmarket_history_retention_days is empty"):
        task.execute({})
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_HISTORY_RETENTION_DAYS", "90")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_PRICE_DECISION_DAYS", "a week")
    assert task.execute({})["changes"] == 1
    with pytest.raises(AirflowSkipException, match="less than a day ago"):
        task.execute({})
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_ENABLED", "off")
    with pytest.raises(AirflowSkipException, match="backmarket_enabled is off"):
        task.execute({})


def add_business(database: Database) -> None:
    """Listings with offers, stock and prices; orders to accept, to ship and to identify; drops, lines, findings."""
    database.execute(
        """
        insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at)
        select 'default', md5(n::text)::uuid, 'SKU-' || n, 'fr-fr', 3, now(), now() from generate_series(1, 8) as n;
        insert into backmarket.listing_offers (
            account, id, market, price, currency, document, first_seen_at, read_at
        )
        select account, id, 'fr-fr', 100, 'EUR', '{}', now(), now() from backmarket.listings;
        insert into seller.stock (sku, quantity, counted_at)
        select 'SKU-' || n, n, now() - interval '2 hours' from generate_series(1, 8) as n;
        insert into seller.prices (sku, market, price, currency)
        select 'SKU-' || n, 'fr-fr', case when n <= 4 then 150 else 99 end, 'EUR' from generate_series(1, 8) as n;
        insert into backmarket.price_approvals (
            account, sku, market, old_price, new_price, currency, reason, status, run_id, decided_at
        )
        select 'default', 'SKU-' || n, 'fr-fr', 100, 150, 'EUR', '', case n when 1 then 'approved' else 'refused' end,
            'r', now() - n * interval '3 days'
        from generate_series(1, 3) as n;
        insert into backmarket.orders (
            account, order_id, state, currency, price, date_creation, date_payment, document, first_seen_at, read_at
        )
        select 'default', n, case when n <= 8 then 1 else 3 end, 'EUR', 100, now() - interval '1 hour',
            now() - interval '1 hour', '{}', now(), now()
        from generate_series(1, 24) as n;
        insert into backmarket.order_lines (
            account, orderline_id, order_id, sku, quantity, price, currency, state, date_creation, first_seen_at,
            first_seen_state, accepted_seen_at
        )
        select 'default', n + 1000, n, 'SKU-' || n % 8 + 1, 1, 100, 'EUR',
            case when n <= 8 then 1 when n <= 16 then 2 else 3 end, now() - interval '1 hour', now(), 1,
            case when n > 8 then now() end
        from generate_series(1, 24) as n;
        insert into seller.shipments (order_id, tracking_number, shipper)
        select n, 'PARCEL00' || n, 'DHL' from generate_series(9, 16) as n;
        insert into seller.devices (order_id, serial_number)
        select n, 'SERIAL00' || n from generate_series(17, 24) as n;
        insert into backmarket.listing_baselines (account, id, quantity, known_at)
        select account, id, 4, now() - interval '1 hour' from backmarket.listings where sku > 'SKU-2';
        insert into backmarket.listing_drops (account, id, seen_from, seen_at, units)
        select account, id, now() - interval '1 day', now() - interval '20 hours', 1
        from backmarket.listings where sku > 'SKU-6';
        insert into backmarket.settlement_lines (
            account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, designation,
            amount, first_export
        ) values ('default', 'i', 'EUR', 1, 1, 'sales', 'revenue', 'sale', '2020-01-01', 'sale', 1, now());
        insert into backmarket.inventory_findings (account, kind, sku, detail, last_seen_at)
        values ('default', 'price_changed_outside', 'SKU-1', 'shows 1', now() - interval '3 years')
        """
    )


def plan_all(database: Database, now: datetime) -> dict[Subject, tuple[Any, ...]]:
    """Plan everything, and return what is wanted or refused now, by subject; what is written is rolled back."""
    log = logging.getLogger(__name__)
    actions = (
        Acceptance(log, AcceptanceSettings()),
        Shipping(log, TrackingSettings(), ImeiSettings(), PhoneSettings().phone_titles),
        Registration(log, ImeiSettings(imei_update=True), ships_with_order=False),
    )
    planned: dict[Subject, tuple[Any, ...]] = {}
    with database.transaction(force_rollback=True):
        for action in actions:
            for each in action.plan(database, "default", now=now).changes:
                planned[action.kind, each.subject, ""] = (each.status, each.payload, each.reason)
        plan_quantities(database, "default", QuantitySettings(), now=now, run_id="plan", allow_mass_zero=True)
        plan_prices(database, "default", PriceSettings(), markets=["fr-fr"], now=now, run_id="plan")
        rows = database.execute(
            "select kind, subject, market, status, payload, reason from backmarket.changes where run_id = 'plan' "
            "union all select 'arithmetic', sku, '', wanted::text, to_jsonb(held), reason from backmarket.inventory"
        )
        planned |= {row[:3]: row[3:] for row in rows}
    return planned


def add_random_history(database: Database, wanted: dict[Subject, tuple[Any, ...]], rng: Random) -> None:
    """For each subject that would be planned, a few changes that ended, of the same payload and of another."""
    for (kind, subject, market), (_, payload, _) in wanted.items():
        if kind == "arithmetic":
            continue
        for _ in range(rng.randrange(7)):
            status, attempts = rng.choice([("confirmed", 1), ("refused", 1), ("refused", 0), ("superseded", 0)])
            ended = rng.choice([timedelta(minutes=5), timedelta(hours=12), timedelta(days=3)])
            given = payload if rng.random() < 0.7 else {**payload, "price": "1", "quantity": 77}
            change(
                database,
                kind,
                status,
                subject=subject,
                market=market,
                payload=given,
                attempts=attempts,
                ended=ended,
                reason=rng.choice(["no", "waits: for it"]) if status == "refused" else None,
            )
    for n in range(1, 9):
        for quantity in (9, 5):
            creation = {"columns": {"quantity": quantity}}
            ended = timedelta(hours=quantity)
            change(database, "listing", "confirmed", subject=f"SKU-{n}", payload=creation, ended=ended)


@pytest.mark.parametrize("seed", range(6))
def test_planning_after_a_purge_comes_to_the_same(warehouse: Database, seed: int) -> None:
    """Quantities, prices, acceptances, shipments and identifiers, with a retention of no day at all."""
    add_business(warehouse)
    now = datetime.now(UTC)
    untouched = plan_all(warehouse, now)
    assert Counter(kind for kind, *_ in untouched) == {
        **dict.fromkeys(("accept", "tracking", "imei", "price", "arithmetic"), 8),
        "quantity": Counter(kind for kind, *_ in untouched)["quantity"],
    }
    assert {status for status, *_ in untouched.values()} >= {"planned", "refused", "awaiting_approval"}
    add_random_history(warehouse, untouched, Random(seed))  # noqa: S311 - a history, not a secret
    before = plan_all(warehouse, now)
    assert before != untouched, "this history matters"
    others = _counts(warehouse)
    assert purge(warehouse, days=0)["changes"] > 5
    assert plan_all(warehouse, now) == before
    assert _counts(warehouse) == others


def _counts(database: Database) -> dict[str, int]:
    """How many rows each table has that holds no history."""
    tables = database.execute(
        "select tablename from pg_tables where schemaname = 'backmarket' and tablename <> all(%s)", [list(PURGED)]
    )
    count = SQL("select count(*) from backmarket.{}")
    return {name: database.execute(count.format(Identifier(name))).fetchall()[0][0] for (name,) in tables.fetchall()}
