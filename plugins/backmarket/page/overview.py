"""Gathers what the page shows, from Airflow and from the operational database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.page import charts
from backmarket.page.airflow_state import dag_states, open_approvals
from backmarket.page.concerns import ORDERS_DAG, SETTLEMENTS_DAG, concerns, dag_ids, kinds_of
from backmarket.page.variables import read_all
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.reading import DatabaseDownError, reader

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from backmarket.page.airflow_state import Approval, DagState
    from backmarket.page.charts import Chart
    from backmarket.page.concerns import Concern
    from backmarket.page.variables import VariableState
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.reading import Reader, Row

REQUESTS_LIMIT = 200
SKU_LINES_LIMIT = 10_000
# A little longer than the limit's ten seconds, as the limiter itself is.
_REQUESTS_WINDOW_SECONDS = 10.2
_MOST_ITEMS = 8


@dataclass(frozen=True)
class FailedTask:
    """A task that failed in the newest run of its DAG."""

    dag_id: str
    task_id: str
    since: datetime | None
    path: str


@dataclass(frozen=True)
class ConcernRow:
    """One concern as a row of the page."""

    concern: Concern
    switch: VariableState
    dag: DagState | None
    last_success: datetime | None
    counts: dict[str, Any]


@dataclass
class Overview:
    """All that the page shows; what could not be read is empty."""

    now: datetime
    account: str
    variables: dict[str, VariableState]
    rows: list[ConcernRow]
    failed: list[FailedTask]
    approvals: list[Approval]
    accounts: list[Row] = field(default_factory=list)
    requests: int | None = None
    sku_lines: int | None = None
    needs: list[Need] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    problem: str = ""

    @property
    def chosen(self) -> Row | None:
        """The account that the page is about; None before the first run has claimed it."""
        return next((row for row in self.accounts if row["chosen"]), None)

    @property
    def waiting(self) -> int:
        """How many things wait for a person."""
        return len(self.failed) + len(self.approvals) + sum(need.total for need in self.needs)


def gather(session: Session, account: str, readable: frozenset[str]) -> Overview:
    """Return what a reader of these DAGs may see; without the database what Airflow alone knows."""
    variables = read_all(session)
    dags = dag_states(session, dag_ids() & readable)
    shown = [concern for concern in concerns() if concern.dag_id in readable]
    overview = Overview(
        now=datetime.now(UTC),
        account=account,
        variables=variables,
        rows=[ConcernRow(each, variables[each.toggle], dags.get(each.dag_id), None, {}) for each in shown],
        failed=[
            FailedTask(dag.dag_id, task_id, dag.run_started, dag.task_path(task_id))
            for dag in dags.values()
            for task_id, state in dag.tasks.items()
            if state == "failed"
        ],
        approvals=open_approvals(session, dags),
    )
    try:
        with reader(account) as database:
            _add_warehouse(overview, database, readable)
    except DatabaseDownError as error:
        overview.problem = str(error)
    return overview


def _add_warehouse(overview: Overview, database: Reader, readable: frozenset[str]) -> None:
    kinds = kinds_of(readable)
    overview.accounts = database.rows("select_accounts")
    overview.requests = database.units_since("general", _REQUESTS_WINDOW_SECONDS)
    overview.sku_lines = database.units_since("sku_lines", 3600)
    overview.rows = _with_results(overview.rows, database, kinds)
    overview.needs = read_needs(database, kinds, most=_MOST_ITEMS, readable=readable)
    overview.charts = _charts(database, kinds, readable, overview.now)


def _with_results(rows: list[ConcernRow], database: Reader, kinds: list[str]) -> list[ConcernRow]:
    states = {row["concern"]: row for row in database.rows("select_successes")}
    # Settlements keep no watermark: their newest report is their newest success.
    for row in database.rows("select_settlement_success"):
        states["settlement_download"] = row
    changes = {row["kind"]: row for row in database.rows("select_last_changes", kinds=kinds)}
    found = []
    for row in rows:
        concern = row.concern
        of_concern = [states[name] for name in (*concern.sync_names, concern.toggle) if name in states]
        newest = max((state["succeeded_at"] for state in of_concern if state["succeeded_at"]), default=None)
        counts = (of_concern[0]["counts"] if of_concern else None) or {}
        if concern.kind in changes:
            newest = newest or changes[concern.kind]["confirmed_at"]
            counts = counts or changes[concern.kind]["counts"] or {}
        found.append(ConcernRow(concern, row.switch, row.dag, newest, counts))
    return found


def _charts(database: Reader, kinds: list[str], readable: frozenset[str], now: datetime) -> list[Chart]:
    today = now.date()
    drawn = []
    if ORDERS_DAG in readable:
        rows = database.rows("chart_orders")
        drawn.append(charts.per_day("Orders per day", "by market, last 30 days", rows, today))
    rows = database.rows("chart_changes", kinds=kinds)
    drawn.append(charts.per_day("Changes sent per day", "by kind, last 30 days", rows, today))
    if SETTLEMENTS_DAG in readable:
        rows = database.rows("chart_settlements")
        drawn.append(charts.per_week("Settlement net per week", "by currency, last 16 weeks", rows, today))
    return drawn
