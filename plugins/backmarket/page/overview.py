"""Gathers what the page shows, from Airflow and from the operational database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.api.throttle import GENERAL_RATES
from backmarket.concerns import ACCOUNT, ORDERS, SETTLEMENTS, SWITCHES, kinds_of, task_of
from backmarket.page import charts
from backmarket.page.airflow_state import dag_states, open_approvals, task_path
from backmarket.page.variables import read_all
from backmarket.page.verdict import Standing, Verdict, verdict
from backmarket.rules.progress import progress_in_words
from backmarket.seller_account import dag_id_of
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES
from backmarket.warehouse.snapshot import DatabaseDownError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from backmarket.concerns import Switch
    from backmarket.page.airflow_state import Approval, DagState
    from backmarket.page.charts import Chart
    from backmarket.page.place import Place
    from backmarket.page.variables import VariableState
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader, Row

_REQUESTS = GENERAL_RATES[0]
_SKU_LINES = SKU_LINE_RATES[0]
REQUESTS_LIMIT = _REQUESTS.limit
SKU_LINES_LIMIT = _SKU_LINES.limit
_MOST_ITEMS = 4
_weeks: dict[str, tuple[tuple[Any, ...], list[Row]]] = {}
_LATE_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class FailedTask:
    """A task that failed in the newest run of its DAG."""

    dag_id: str
    task_id: str
    since: datetime | None
    path: str


@dataclass(frozen=True)
class StoppedDag:
    """A DAG whose concern is switched on and that does not run all the same."""

    dag_id: str
    why: str


@dataclass(frozen=True)
class SwitchRow:
    """One switch as a row of the page.

    :param variable: what it is set to.
    :param dag: None where Airflow has not read its file.
    :param counts: of its last success.
    """

    switch: Switch
    variable: VariableState
    dag_id: str
    dag: DagState | None
    last_success: datetime | None = None
    counts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Overview:
    """All that the page shows; what could not be read is empty."""

    now: datetime
    account: str
    variables: dict[str, VariableState]
    rows: list[SwitchRow]
    failed: list[FailedTask]
    stopped: list[StoppedDag]
    approvals: list[Approval]
    dags: dict[str, DagState]
    accounts: list[Row] = field(default_factory=list)
    requests: int | None = None
    sku_lines: int | None = None
    needs: list[Need] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    loading: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def chosen(self) -> Row | None:
        """The account that the page is about; None before the first run has claimed it."""
        return next((row for row in self.accounts if row["chosen"]), None)

    def dag_of(self, stem: str) -> DagState | None:
        """The DAG of a concern; None where Airflow has not read it or the reader may not see it."""
        return self.dags.get(dag_id_of(stem, self.account))

    @property
    def waiting(self) -> int:
        """How many things wait for a person; a question in Airflow counts as the moves it is about."""
        asked = any(need.name == "approvals" for need in self.needs)
        questions = 0 if asked else len(self.approvals)
        return len(self.failed) + len(self.stopped) + questions + sum(need.total for need in self.needs)

    @property
    def verdict(self) -> Verdict:
        """How things stand, in a sentence."""
        return verdict(
            Standing(
                account_dag=dag_id_of(ACCOUNT.stem, self.account),
                problem=self.problem,
                token_valid=self.chosen["token_valid"] if self.chosen else None,
                is_enabled=self.variables["enabled"].value is True,
                is_dry_run=self.variables["dry_run"].value is True,
                failed=len(self.failed),
                stopped=len(self.stopped),
                waiting=self.waiting,
            )
        )


def log_path(account: str, item: Row) -> str:
    """Return where Airflow shows the log of the task that decided about a change; empty for what is no change."""
    if not item.get("run_id"):
        return ""
    stem, task_id = task_of(item["kind"])
    return task_path(dag_id_of(stem, account), task_id, run_id=item["run_id"])


def gather(session: Session, place: Place, stems: frozenset[str]) -> Overview:
    """Return what a reader of these concerns may see; without the database what Airflow alone knows."""
    account = place.account
    variables = read_all(session, account)
    dag_ids = {stem: dag_id_of(stem, account) for stem in stems}
    dags = dag_states(session, dag_ids.values())
    rows = [
        SwitchRow(switch, variables[switch.toggle], dag_ids[concern.stem], dags.get(dag_ids[concern.stem]))
        for concern, switch in SWITCHES
        if concern.stem in stems
    ]
    now = datetime.now(UTC)
    overview = Overview(
        now=now,
        account=account,
        variables=variables,
        rows=rows,
        failed=failed_tasks(dags),
        stopped=_stopped(rows, now) if variables["enabled"].value is True else [],
        approvals=open_approvals(session, dags),
        dags=dags,
    )
    try:
        with place.read() as database:
            _add_warehouse(overview, database, stems)
    except DatabaseDownError as error:
        overview.problem = str(error)
    return overview


def failed_tasks(dags: dict[str, DagState]) -> list[FailedTask]:
    """Return the tasks that failed in the newest run of each DAG."""
    return [
        FailedTask(dag.dag_id, task_id, dag.run_started, dag.task_path(task_id))
        for dag in dags.values()
        for task_id, state in dag.tasks.items()
        if state == "failed"
    ]


def _stopped(rows: list[SwitchRow], now: datetime) -> list[StoppedDag]:
    """Return the DAGs that a switch asks for and the scheduler does not run."""
    wanted = {row.dag_id: row.dag for row in rows if row.variable.value is True}
    found = []
    for dag_id, dag in wanted.items():
        if dag is None:
            found.append(StoppedDag(dag_id, "Airflow has not read its file: see Import Errors on Airflow's first page"))
        elif dag.is_paused:
            found.append(StoppedDag(dag_id, "paused: unpause it"))
        elif dag.next_run and dag.next_run < now - _LATE_AFTER and dag.run_state not in {"running", "queued"}:
            found.append(StoppedDag(dag_id, "its next run is overdue: is the scheduler running?"))
    return found


def _add_warehouse(overview: Overview, database: Reader, stems: frozenset[str]) -> None:
    kinds = kinds_of(stems)
    overview.accounts = database.rows("select_accounts")
    overview.requests = database.units_since("general", _REQUESTS.interval / 1000)
    overview.sku_lines = database.units_since("sku_lines", _SKU_LINES.interval / 1000)
    overview.rows = _with_results(overview.rows, database, kinds)
    overview.needs = read_needs(database, stems, most=_MOST_ITEMS)
    overview.charts = _charts(database, kinds, stems, overview.now)
    overview.loading = _loading(database, stems)


def _loading(database: Reader, stems: frozenset[str]) -> list[str]:
    """Say how far the loads are that run now and take a while."""
    tasks = {switch.toggle for concern, switch in SWITCHES if concern.stem in stems}
    return [
        progress_in_words(row["done"], row["total"], float(row["seconds"]), row["thing"], row["part"])
        for row in database.rows("select_progress")
        if row["task"] in tasks
    ]


def _with_results(rows: list[SwitchRow], database: Reader, kinds: list[str]) -> list[SwitchRow]:
    states = {row["concern"]: row for row in database.rows("select_successes")}
    # Settlements keep no watermark: their newest report is their newest success.
    states.update(("settlement_download", row) for row in database.rows("select_settlement_success"))
    changes = {row["kind"]: row for row in database.rows("select_last_changes", kinds=kinds)}
    found = []
    for row in rows:
        switch = row.switch
        own = [states[name] for name in (*switch.sync_names, switch.toggle) if name in states]
        newest = max((state["succeeded_at"] for state in own if state["succeeded_at"]), default=None)
        counts = (own[0]["counts"] if own else None) or {}
        if switch.kind in changes:
            newest = newest or changes[switch.kind]["confirmed_at"]
            counts = counts or changes[switch.kind]["counts"] or {}
        found.append(replace(row, last_success=newest, counts=counts))
    return found


def _charts(database: Reader, kinds: list[str], stems: frozenset[str], now: datetime) -> list[Chart]:
    today = now.date()
    drawn = []
    if ORDERS.stem in stems:
        rows = database.rows("chart_orders")
        drawn.append(charts.per_day("Orders per day", "by market, last 30 days", rows, today))
    rows = database.rows("chart_changes", kinds=kinds)
    drawn.append(charts.per_day("Changes sent per day", "by kind, last 30 days", rows, today))
    if SETTLEMENTS.stem in stems:
        rows = _settlement_weeks(database, today)
        drawn.append(charts.per_week("Settlement net per week", "by currency, last 16 weeks", rows, today))
    return drawn


def _settlement_weeks(database: Reader, today: date) -> list[Row]:
    """Return the net by week; kept until a statement is loaded, as adding up half a million lines takes a while."""
    loaded = tuple(tuple(row.values()) for row in database.rows("select_statements_loaded"))
    key = (database.connection.info.dsn, database.account, today, loaded)
    if _weeks.get(database.account, (None, []))[0] != key:
        _weeks[database.account] = (key, database.rows("chart_settlements"))
    return _weeks[database.account][1]
