"""A backfill of ``backmarket_orders``: its runs read the past once between them, and change nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.api.errors import BackMarketError
from backmarket.operators.gate import BackMarketGateOperator
from backmarket.operators.orders import BackMarketOpenOrderRefreshOperator, BackMarketOrderDownloadOperator
from backmarket.rules.order_window import MOST_HISTORY_READS, HistoryReadTooOftenError
from backmarket.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

STEP = timedelta(minutes=10)


def _context(begin: datetime, *, clear_number: int = 0, **params: Any) -> Any:
    run_id = f"backfill__{begin.isoformat()}"
    dag_run = SimpleNamespace(
        dag_id="backmarket_orders",
        run_type="backfill",
        data_interval_start=begin,
        data_interval_end=begin + STEP,
        clear_number=clear_number,
    )
    ti = SimpleNamespace(xcom_push=lambda **_: None)
    return {"params": params, "dag_run": dag_run, "run_id": run_id, "ti": ti}


def _run(begin: datetime, **more: Any) -> str:
    """Run the download of one interval; return why it skipped, empty where it read."""
    try:
        BackMarketOrderDownloadOperator(task_id="order_download").execute(_context(begin, **more))
    except AirflowSkipException as skipped:
        return str(skipped)
    return ""


def _midnight(days_ago: int) -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def _created(order: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(order["date_creation"])
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _requests(sandbox: Sandbox) -> int:
    return len(sandbox.journal())


@pytest.fixture
def past(connected: Sandbox, database: psycopg.Connection[Any]) -> Sandbox:
    """A sandbox with a past, and an empty database whose tables are there."""
    connected.clear_journal()
    return connected


def test_the_runs_of_a_day_read_it_in_one_pass(past: Sandbox, database: psycopg.Connection[Any]) -> None:
    """144 intervals: the first reads up to the present, the others skip with the reason and without a request."""
    begin = _midnight(30)
    for number in (0, 71, 143):
        span = begin + STEP * number
        by_hand = _context(span)
        by_hand["params"] = {"from": span.isoformat(), "to": (span + STEP).isoformat()}
        by_hand["dag_run"].run_type = "manual"
        BackMarketOrderDownloadOperator(task_id="order_download").execute(by_hand)
    each_by_itself = 144 * _requests(past) // 3
    database.execute("truncate backmarket.orders, backmarket.order_lines, backmarket.order_addresses")
    past.clear_journal()
    assert _run(begin) == ""
    one_pass = _requests(past)
    assert 1 <= one_pass <= each_by_itself // 144 + 1
    reasons = [_run(begin + STEP * number) for number in range(1, 144)]
    assert all("nothing is asked of Back Market" in reason for reason in reasons)
    assert f"were read by run backfill__{begin.isoformat()}" in reasons[-1]
    assert _requests(past) == one_pass
    stored = {order_id for (order_id,) in database.execute("select order_id from backmarket.orders").fetchall()}
    listed = [order for order in past.orders() if order["state"] not in {0, 8}]
    assert stored == {order["order_id"] for order in listed if _created(order) >= begin}
    assert stored
    assert database.execute("select * from backmarket.sync_state").fetchall() == []


def test_a_reading_that_failed_is_repeated_by_the_next_run(past: Sandbox) -> None:
    """What was not read to its end counts for nobody."""
    begin = _midnight(20)
    past.fault("403", times=None)
    with pytest.raises(BackMarketError):
        _run(begin)
    past.clear_faults()
    assert _run(begin + STEP) == ""
    assert _run(begin + 2 * STEP) != ""
    assert _run(begin) == ""


def test_a_run_that_is_cleared_reads_again(past: Sandbox) -> None:
    """So does a backfill that repeats runs: its first one reads, for all others."""
    begin = _midnight(20)
    _run(begin)
    before = _requests(past)
    assert _run(begin, clear_number=1) == ""
    again = _requests(past)
    assert again > before
    assert _run(begin + STEP, clear_number=1) != ""
    assert _requests(past) == again


def test_a_reading_of_an_older_day_does_not_count(past: Sandbox, database: psycopg.Connection[Any]) -> None:
    """Who asks for the past a day later wants it as it is now."""
    begin = _midnight(20)
    _run(begin)
    database.execute("update backmarket.order_history_reads set began_at = began_at - interval '25 hours'")
    assert _run(begin + STEP) == ""
    assert database.execute("select count(*) from backmarket.order_history_reads").fetchone() == (1,)


def test_a_span_that_a_person_gives_is_not_read_beyond(past: Sandbox, database: psycopg.Connection[Any]) -> None:
    """A backfill with params reads their span once."""
    begin, end = _midnight(40), _midnight(20)
    span = {"from": begin.isoformat(), "to": end.isoformat()}
    assert _run(begin, **span) == ""
    assert _run(begin + STEP, **span) != ""
    newest = database.execute("select max(date_creation) from backmarket.orders").fetchone()
    assert newest is not None
    assert newest[0] < end
    assert _run(end) == ""


def test_a_backfill_that_runs_backwards_ends_with_the_command_that_does_it_once(past: Sandbox) -> None:
    """Each of its runs would read everything since its own start: after ten it is refused, without a request."""
    begin = _midnight(5)
    for number in range(MOST_HISTORY_READS):
        assert _run(begin - STEP * number) == ""
    requests = _requests(past)
    last = begin - STEP * MOST_HISTORY_READS
    with pytest.raises(HistoryReadTooOftenError, match="airflow dags trigger backmarket_orders --conf") as refused:
        _run(last)
    assert f'"from": "{last:%Y-%m-%dT%H:%M:%SZ}"' in str(refused.value)
    assert _requests(past) == requests


def test_open_orders_are_not_read_in_a_backfill(past: Sandbox, database: psycopg.Connection[Any]) -> None:
    """Nor does it count as the first download, which would put them off for a day."""
    with pytest.raises(AirflowSkipException, match="about the past"):
        BackMarketOpenOrderRefreshOperator(task_id="open_order_refresh").execute(_context(_midnight(1)))
    assert _requests(past) == 0
    assert database.execute("select * from backmarket.sync_state").fetchall() == []


@pytest.mark.parametrize(
    "toggle",
    [
        "order_acceptance",
        "active_listing_download",
        "listing_creation",
        "product_creation",
        "inventory_upload",
        "prices_upload",
        "tracking_upload",
        "imei_update",
    ],
)
def test_nothing_is_sent_from_a_backfill(toggle: str, switch_on: Callable[..., None]) -> None:
    """Every gate of what has no past skips in its runs, switched on or not, and in no other."""
    switch_on(toggle)
    gate = BackMarketGateOperator(task_id="gate", toggle=toggle)
    with pytest.raises(AirflowSkipException, match="a backfill is about the past"):
        gate.execute(_context(_midnight(1)))
    scheduled = _context(_midnight(1))
    scheduled["dag_run"].run_type = "scheduled"
    assert gate.execute(scheduled) == f"backmarket_{toggle} is on"


def test_every_toggle_of_a_gate_is_known_to_have_a_past_or_none() -> None:
    """Orders and settlements have one; a new toggle has to be thought of here."""
    from backmarket.concerns import SWITCHES

    assert {switch.toggle for _, switch in SWITCHES} <= VARIABLES.keys()
    assert {switch.toggle for _, switch in SWITCHES if switch.has_past} == {"order_download", "settlement_download"}


def test_a_real_backfill_run_accepts_nothing(
    connected: Sandbox,
    run_dag_in_airflow: Callable[..., Run],
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With acceptance on and a paid order that the stock covers, a whole run of the DAG reads and writes nothing."""
    from airflow.models import dagrun
    from airflow.utils.types import DagRunType

    order = connected.create_order(state=1)
    database.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) values ('default', %s, 99, now())",
        [order["orderlines"][0]["listing"]],
    )
    switch_on("order_download", "order_acceptance")
    begin = _midnight(1)
    make = dagrun.get_or_create_dagrun

    def make_backfill(**kwargs: Any) -> Any:
        made = make(**kwargs | {"data_interval": (begin, begin + STEP)})
        made.run_type = DagRunType.BACKFILL_JOB
        kwargs["session"].commit()
        return made

    monkeypatch.setattr(dagrun, "get_or_create_dagrun", make_backfill)
    run = run_dag_in_airflow("backmarket_orders")
    assert (run.state, run.tasks["order_download"]) == ("success", "success")
    assert {run.tasks[task] for task in ("order_acceptance_gate", "order_acceptance", "paid_order_refresh")} == {
        "skipped"
    }
    assert [request for request in connected.journal() if request["method"] != "GET"] == []
    assert database.execute("select count(*) from backmarket.changes").fetchone() == (0,)
