"""Gathers what the page shows, from Airflow and from the operational database."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.api.throttle import GENERAL_RATES
from backmarket.concerns import ACCOUNT, AFTER_SALES, ALERTS, BACKBOX, ORDERS, SETTLEMENTS, SWITCHES, kinds_of, task_of
from backmarket.environment import where_connection_is
from backmarket.page import after_sales, backbox, charts
from backmarket.page.airflow_state import backfills, dag_states, known_accounts, open_approvals, schedules, task_path
from backmarket.page.variables import connection_sources, read_all, unread_variables, value_of
from backmarket.page.verdict import Standing, Verdict, verdict
from backmarket.rules.progress import progress_in_words
from backmarket.seller_account import dag_id_of, seller_account
from backmarket.sources import AIRFLOW, ENVIRONMENT
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES
from backmarket.warehouse.snapshot import DatabaseDownError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from backmarket.concerns import Switch
    from backmarket.page.after_sales import AfterSales
    from backmarket.page.airflow_state import Approval, Backfill, DagState, FailedTask, SwitchRun
    from backmarket.page.backbox import BackBox
    from backmarket.page.charts import Chart
    from backmarket.page.place import Place
    from backmarket.page.variables import VariableState
    from backmarket.sources import Unread
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader, Row

_REQUESTS = GENERAL_RATES[0]
_SKU_LINES = SKU_LINE_RATES[0]
REQUESTS_LIMIT = _REQUESTS.limit
SKU_LINES_LIMIT = _SKU_LINES.limit
_MOST_ITEMS = 4
_LATE_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class StoppedDag:
    """A DAG whose concern is switched on and that does not run all the same."""

    dag_id: str
    why: str


@dataclass(frozen=True)
class SwitchRow:
    """One switch as a row of the page: all of it but the last success is about one run, the newest of its DAG.

    :param variable: what it is set to.
    :param dag: None where Airflow has not read its file.
    :param run: what that run did for this switch; None before the first.
    :param last_success: of any run that was no backfill's.
    :param planned: what became of the changes that the run has planned and nobody has sent, by status.
    """

    switch: Switch
    variable: VariableState
    dag_id: str
    dag: DagState | None
    last_success: datetime | None = None
    planned: dict[str, int] = field(default_factory=dict)

    @property
    def run(self) -> SwitchRun | None:
        """What the newest run did for this switch."""
        return self.dag.switches.get(self.switch.toggle) if self.dag else None

    @property
    def counts(self) -> dict[str, int]:
        """What the run has counted, and what it planned and did not send."""
        done = self.run.counts if self.run else {}
        return {name: done.get(name, 0) + self.planned.get(name, 0) for name in {**done, **self.planned}}


@dataclass
class Overview:
    """All that the page shows; what could not be read is empty.

    :param answer_hours: a customer who has waited longer for an answer needs a person.
    """

    now: datetime
    account: str
    variables: dict[str, VariableState]
    rows: list[SwitchRow]
    failed: list[FailedTask]
    stopped: list[StoppedDag]
    backfills: list[Backfill]
    approvals: list[Approval]
    dags: dict[str, DagState]
    answer_hours: int
    accounts: list[Row] = field(default_factory=list)
    requests: int | None = None
    sku_lines: int | None = None
    after_sales: AfterSales | None = None
    backbox: BackBox | None = None
    needs: list[Need] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    conn_ids: list[str] = field(default_factory=list)
    loading: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def chosen(self) -> Row | None:
        """The account that the page is about; None before the first run has claimed it."""
        return next((row for row in self.accounts if row["chosen"]), None)

    @property
    def connections(self) -> list[tuple[str, str]]:
        """The account's connections, each with what holds it besides Airflow's own database."""
        return connection_sources(self.conn_ids)

    @property
    def token_place(self) -> str:
        """The connection that has the token, and where that is changed."""
        conn_id, kept_by = self.connections[0]
        is_elsewhere = kept_by not in {AIRFLOW, ENVIRONMENT}
        return f"{conn_id} {f'in the {kept_by}' if is_elsewhere else where_connection_is(conn_id)}"

    @property
    def failed_backfills(self) -> list[Backfill]:
        """The backfills with runs that have failed."""
        return [each for each in self.backfills if each.failed]

    @property
    def waiting(self) -> int:
        """How many things wait for a person; a question in Airflow counts as the things it is about."""
        odd = len(self.failed) + len(self.stopped) + len(self.failed_backfills) + len(self.unread)
        return odd + len(self.questions) + sum(need.total for need in self.needs)

    @property
    def questions(self) -> list[Approval]:
        """The questions in Airflow about what is not listed here."""
        listed = {dag_id_of(need.decided_by, self.account) for need in self.needs if need.is_asked_in_airflow}
        return [each for each in self.approvals if each.dag_id not in listed]

    @property
    def verdict(self) -> Verdict:
        """How things stand, in a sentence."""
        token_valid = self.chosen["token_valid"] if self.chosen else None
        return verdict(
            Standing(
                account_dag=dag_id_of(ACCOUNT.stem, self.account),
                problem=self.problem,
                token_valid=token_valid,
                # Each question to a store of secrets takes its time.
                token_place=self.token_place if token_valid is False else "",
                has_run=any(row.last_success for row in self.rows),
                is_enabled=self.variables["enabled"].value is True,
                is_dry_run=self.variables["dry_run"].value is True,
                failed=len(self.failed),
                stopped=len(self.stopped),
                waiting=self.waiting,
                unusable=tuple(
                    f"{item['subject']} {item['summary']}"
                    for need in self.needs
                    if need.name == "feeds"
                    for item in need.items
                ),
            )
        )


def log_path(account: str, item: Row) -> str:
    """Return where Airflow shows the log that says why a change was refused; empty for what is no change.

    Of one that was refused before that was written down, it is the log of the task that sends its kind.
    """
    if not item.get("run_id"):
        return ""
    if task := item.get("refused_in"):
        path = task_path(task["dag_id"], task["task_id"], run_id=task["run_id"], map_index=task["map_index"])
        return f"{path}?try_number={task['try_number']}"
    stem, task_id = task_of(item["kind"])
    return task_path(dag_id_of(stem, account), task_id, run_id=item["run_id"])


def gather(session: Session, place: Place, stems: frozenset[str]) -> Overview:
    """Return what a reader of these concerns may see; without the database what Airflow alone knows."""
    account = place.account
    variables = read_all(session, account)
    dag_ids = {stem: dag_id_of(stem, account) for stem in stems}
    dags = dag_states(session, dag_ids.values())
    rows = [
        _row(switch, variables[switch.toggle], dag_ids[concern.stem], dags.get(dag_ids[concern.stem]))
        for concern, switch in SWITCHES
        if concern.stem in stems
    ]
    now = datetime.now(UTC)
    overview = Overview(
        now=now,
        account=account,
        variables=variables,
        rows=rows,
        # Those of one cause stand together.
        failed=sorted((task for dag in dags.values() for task in dag.failed), key=lambda task: task.cause),
        stopped=_stopped(_wanted(session, account, dag_ids, variables), dags, now),
        backfills=backfills(session, dags),
        approvals=open_approvals(session, dags),
        dags=dags,
        answer_hours=value_of(session, account, "care_answer_hours"),
        unread=unread_variables(session, account, known_accounts(session)),
        conn_ids=[seller_account(account).backmarket_conn_id, place.warehouse_conn_id],
    )
    try:
        with place.read() as database:
            _add_warehouse(overview, database, stems)
    except DatabaseDownError as error:
        overview.problem = str(error)
    return overview


def _row(switch: Switch, variable: VariableState, dag_id: str, dag: DagState | None) -> SwitchRow:
    return SwitchRow(switch, variable, dag_id, dag, dag.successes.get(switch.toggle) if dag else None)


def stopped_dags(session: Session, account: str, stems: frozenset[str]) -> list[StoppedDag]:
    """Return the DAGs of these concerns that Variables ask for and that the scheduler does not run."""
    now = datetime.now(UTC)
    dag_ids = {stem: dag_id_of(stem, account) for stem in stems}
    wanted = _wanted(session, account, dag_ids, read_all(session, account))
    return _stopped(wanted, schedules(session, wanted, now), now) if wanted else []


def _wanted(
    session: Session, account: str, dag_ids: Mapping[str, str], variables: Mapping[str, VariableState]
) -> list[str]:
    """Return the DAGs that Variables ask for: those with a switch that is on, and the one that tells people."""
    if variables["enabled"].value is not True:
        return []
    wanted = [
        dag_ids[concern.stem]
        for concern, switch in SWITCHES
        if concern.stem in dag_ids and variables[switch.toggle].value is True
    ]
    tells, days = (value_of(session, account, field) for field in ("alert_conn_id", "history_retention_days"))
    if ALERTS.stem in dag_ids and (tells or days is not None):
        wanted.append(dag_ids[ALERTS.stem])
    return list(dict.fromkeys(wanted))


def _stopped(wanted: list[str], dags: Mapping[str, DagState], now: datetime) -> list[StoppedDag]:
    """Return the DAGs that are wanted and that the scheduler does not run."""
    found = []
    for dag_id in wanted:
        dag = dags.get(dag_id)
        if dag is None:
            found.append(StoppedDag(dag_id, "Airflow has not read its file: see Import Errors on Airflow's first page"))
        elif dag.is_paused:
            found.append(StoppedDag(dag_id, "paused: unpause it"))
        elif dag.next_run and dag.next_run < now - _LATE_AFTER and not dag.is_under_way:
            found.append(StoppedDag(dag_id, "its next run is overdue: is the scheduler running?"))
    return found


def _add_warehouse(overview: Overview, database: Reader, stems: frozenset[str]) -> None:
    kinds = kinds_of(stems)
    overview.accounts = database.rows("select_accounts")
    if overview.chosen and overview.chosen["conn_id"]:
        overview.conn_ids[0] = overview.chosen["conn_id"]
    overview.requests = database.units_since("general", _REQUESTS.interval / 1000)
    overview.sku_lines = database.units_since("sku_lines", _SKU_LINES.interval / 1000)
    overview.rows = _with_results(overview.rows, database, kinds)
    overview.needs = read_needs(database, stems, most=_MOST_ITEMS, answer_hours=overview.answer_hours)
    if AFTER_SALES.stem in stems:
        found = after_sales.gather(database)
        is_on = any(overview.variables[switch.toggle].value is True for switch in AFTER_SALES.switches)
        overview.after_sales = found if is_on or not found.is_empty else None
    if BACKBOX.stem in stems:
        stands = backbox.gather(database)
        is_on = any(overview.variables[switch.toggle].value is True for switch in BACKBOX.switches)
        overview.backbox = stands if is_on or not stands.is_empty else None
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
    """Add to rows what the database knows of their run, and of a success that is older than Airflow remembers."""
    states = {row["concern"]: row["succeeded_at"] for row in database.rows("select_successes")}
    runs = {row.switch.kind: row.dag.run_id if row.dag else "" for row in rows if row.switch.kind in kinds}
    changes = {
        row["kind"]: row
        for row in database.rows("select_changes_of_runs", kinds=list(runs), run_ids=list(runs.values()))
    }
    found = []
    for row in rows:
        switch = row.switch
        known = [states.get(name) for name in (*switch.sync_names, switch.toggle)]
        known.append(changes[switch.kind]["confirmed_at"] if switch.kind in changes else None)
        planned = (changes[switch.kind]["counts"] or {}) if switch.kind in changes else {}
        found.append(
            replace(row, last_success=row.last_success or max(filter(None, known), default=None), planned=planned)
        )
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
        rows = database.rows("chart_settlements")
        drawn += charts.per_week("Settlement net per week", "last 16 weeks", rows, today)
    return drawn
