"""Compares statements with orders, set by set, and keeps what differs as findings that close themselves."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import sql
from backmarket.warehouse.orders import lock_merges
from backmarket.warehouse.settlements.ties import tie_lines

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from backmarket.warehouse.connection import Connection

_RULES = ("find_order_differences", "find_line_differences", "find_held_payouts", "find_after_sales_differences")


@dataclass(frozen=True)
class Limits:
    """What a person has set.

    :param due_days: after so many days a shipped order should be in a statement.
    :param tolerance: a difference up to this is none, in the order's currency.
    :param refund_after_return_days: what came back should be refunded so many days later.
    :param return_after_refund_days: what was refunded should have come back so many days later.
    """

    due_days: int
    tolerance: Decimal
    refund_after_return_days: int = 14
    return_after_refund_days: int = 30


@dataclass(frozen=True)
class Reconciliation:
    """What one reconciliation did.

    :param tied: rows tied to orders that had arrived since.
    :param changed: findings that opened, came back or changed.
    :param open_by_kind: all open findings of the account.
    """

    tied: int
    changed: int
    closed: int
    open_by_kind: dict[str, int]


def reconcile(
    connection: Connection, account: str, limits: Limits, days: frozenset[date] | None = None
) -> Reconciliation:
    """Bring the findings up to date with what has changed: rows, what statements cover, orders. One transaction.

    Everything is looked at the first time, and where the limits, the rules or the schema are others than the last time.

    :param days: look at these again, whether or not they have changed: orders shipped, and rows valued, on them. What
        the first time, or other limits, ask for is left to a call without.
    """
    rules, of_account = _rules(limits), {"account": account}
    if days is None:
        _mark_changes(connection, account)
    with connection.transaction():
        lock_findings(connection, account)
        # Only now: whoever held the lock may have computed by other rules.
        everything = days is None and _compared_by(connection, account) != rules
        connection.execute("set local work_mem = '64MB'")
        # How many orders a span of days has is guessed far too high: to compile for so many takes longer than all else.
        connection.execute("set local jit = off")
        for step in ("stage_scope", "stage_found"):
            connection.execute(sql.statement(f"settlements/{step}"))
        connection.execute(sql.statement("settlements/take_stale_orders"), of_account)
        stale = connection.execute(sql.statement("settlements/take_stale_days"), of_account).fetchall()
        covers = connection.execute(sql.statement("settlements/take_stale_covers"), of_account).fetchall()
        tied = tie_lines(connection, account)
        touched = (days or frozenset()) | {day for (day,) in stale} | set(tied)
        scope = {
            "account": account,
            "everything": everything,
            "days": sorted(touched),
            "first_days": [first_day for first_day, _ in covers],
            "end_days": [end_day for _, end_day in covers],
            "due_days": limits.due_days,
            "tolerance": limits.tolerance,
            "refund_after_return_days": limits.refund_after_return_days,
            "return_after_refund_days": limits.return_after_refund_days,
        }
        if not everything:
            connection.execute(sql.statement("settlements/fill_scope"), scope)
        connection.execute("analyze settlement_scope")
        for rule in _RULES:
            connection.execute(sql.statement(f"settlements/{rule}"), scope)
        changed = _count(connection, "open_findings", of_account)
        closed = _count(connection, "close_findings", scope)
        for step in ("delete_day_sums", "sum_days"):
            connection.execute(sql.statement(f"settlements/{step}"), scope)
        connection.execute(sql.statement("settlements/merge_fee_shares"), of_account)
        noted = "keep_comparison" if days is None else "doubt_comparison"
        connection.execute(sql.statement(f"settlements/{noted}"), {**of_account, "rules": rules})
        found = connection.execute(sql.statement("settlements/count_open_findings"), of_account).fetchall()
    return Reconciliation(len(tied), changed, closed, dict(found))


def _rules(limits: Limits) -> str:
    """Return what tells whether findings would be computed today as they were: limits, rules and schema."""
    rules = (sql.statement(f"settlements/{name}") for name in _RULES)
    schema = sorted(path.stem for path in (sql.folder() / "migrations").glob("*.sql"))
    return sha256("\n".join([repr(limits), *rules, *schema]).encode()).hexdigest()


def _mark_changes(connection: Connection, account: str) -> None:
    """Let changes be marked from now on."""
    connection.execute(sql.statement("settlements/mark_changes"), {"account": account})
    if not _compared_by(connection, account):
        with connection.transaction():
            # Merges that have begun before leave no marks: everything is looked at after their end.
            lock_merges(connection, account)


def _compared_by(connection: Connection, account: str) -> str:
    """Return by which rules all findings were computed; empty where some were not."""
    row = connection.execute(sql.statement("settlements/select_comparison"), {"account": account}).fetchone()
    return str(row[0]) if row else ""


def lock_findings(connection: Connection, account: str) -> None:
    """Wait until no other transaction works on the findings; holds to the end of this one."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"settlement_findings/{account}"])


def unknown_numbers(connection: Connection, account: str, budget: int) -> list[int]:
    """Return numbers that statements name and nobody has looked up yet, newest first."""
    rows = connection.execute(
        sql.statement("settlements/select_unknown_numbers"), {"account": account, "budget": budget}
    ).fetchall()
    return [number for (number,) in rows]


def remember_unknown(connection: Connection, account: str, numbers: list[int]) -> None:
    """Note that Back Market has no such orders."""
    connection.execute(sql.statement("settlements/insert_unknown_orders"), {"account": account, "numbers": numbers})


def _count(connection: Connection, statement: str, parameters: dict[str, Any]) -> int:
    row = connection.execute(sql.statement(f"settlements/{statement}"), parameters).fetchone()
    return int(row[0]) if row else 0
