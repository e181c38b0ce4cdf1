"""Gathers one row an account: what waits for a person, and what came of the last thirty days."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backmarket.concerns import ORDERS, SETTLEMENTS, kinds_of
from backmarket.page.airflow_state import failed_tasks, known_accounts
from backmarket.page.downloads import table
from backmarket.page.overview import stopped_dags
from backmarket.page.place import Place
from backmarket.page.variables import value_of
from backmarket.seller_account import DEFAULT_WAREHOUSE, dag_id_of
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.snapshot import DatabaseDownError, reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from backmarket.page.downloads import Download
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader, Row


@dataclass
class AccountRow:
    """One account.

    :param stems: the concerns that the reader may see.
    :param failed: tasks that failed in the newest run of their DAG that is no backfill's.
    :param stopped: DAGs that should run and do not.
    :param needs: what waits for a person, the most pressing kind first.
    :param orders: created in the last thirty days; None where the reader may not see orders.
    :param changes: sent to Back Market in the last thirty days.
    :param nets: what the statements of the last thirty days pay out, by currency.
    :param problem: why its database cannot be read; empty where it can.
    """

    account: str
    stems: frozenset[str]
    platform: str = ""
    token_valid: bool | None = None
    failed: int = 0
    stopped: int = 0
    needs: list[Need] = field(default_factory=list)
    orders: int | None = None
    changes: int = 0
    nets: list[Row] = field(default_factory=list)
    problem: str = ""

    @property
    def waiting(self) -> int:
        """How many things wait for a person."""
        return self.failed + self.stopped + sum(need.total for need in self.needs)


def download_of(rows: list[AccountRow]) -> Download:
    """Return the accounts as a table to be saved, with a column of nets for each currency."""
    titles = {
        "account": "Account",
        "platform": "Platform",
        "token_valid": "Token valid",
        "waiting": "To look at",
        "orders": "Orders",
        "changes": "Changes sent",
        "problem": "Problem",
    }
    currencies = {each["currency"]: f"Settlement net {each['currency']}" for row in rows for each in row.nets}
    told = (
        {name: getattr(row, name) for name in titles}
        | dict.fromkeys(currencies)
        | {each["currency"]: each["net"] for each in row.nets}
        for row in rows
    )
    return table("accounts", titles | dict(sorted(currencies.items())), told)


def places(session: Session) -> list[Place]:
    """Return every account that Airflow has DAGs of, and every one that the common database holds, by name."""
    found = known_accounts(session)
    try:
        with reader("", DEFAULT_WAREHOUSE) as database:
            stored = [row["account"] for row in database.rows("select_accounts")]
    except DatabaseDownError:
        stored = []
    return [Place(account, found.get(account, DEFAULT_WAREHOUSE)) for account in sorted({*found, *stored})]


def gather_accounts(session: Session, readable: Callable[[str], frozenset[str]]) -> list[AccountRow]:
    """Return a row for each account that the reader may see anything of, the one with the most to look at first.

    :param readable: returns the concerns of an account that the reader may see.
    """
    rows = [_row(session, place, stems) for place in places(session) if (stems := readable(place.account))]
    return sorted(rows, key=lambda row: (not row.problem, -row.waiting, row.account))


def _row(session: Session, place: Place, stems: frozenset[str]) -> AccountRow:
    row = AccountRow(place.account, stems)
    row.failed = failed_tasks(session, [dag_id_of(stem, place.account) for stem in stems])
    row.stopped = len(stopped_dags(session, place.account, stems))
    try:
        with place.read() as database:
            _add_warehouse(row, database, value_of(session, place.account, "care_answer_hours"))
    except DatabaseDownError as error:
        row.problem = str(error)
    return row


def _add_warehouse(row: AccountRow, database: Reader, answer_hours: int) -> None:
    stems = row.stems
    for account in database.rows("select_accounts"):
        if account["chosen"]:
            row.platform, row.token_valid = account["platform"] or "", account["token_valid"]
    row.needs = read_needs(database, stems, most=1, answer_hours=answer_hours)
    if ORDERS.stem in stems:
        row.orders = sum(each["orders"] for each in database.rows("count_orders"))
    row.changes = sum(each["changes"] for each in database.rows("count_changes", kinds=kinds_of(stems)))
    if SETTLEMENTS.stem in stems:
        row.nets = database.rows("sum_settlements")
