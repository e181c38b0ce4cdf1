"""Compares statements with orders, set by set, and keeps what differs as findings that close themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import sql
from backmarket.warehouse.settlements.ties import tie_lines

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from backmarket.warehouse.connection import Connection


@dataclass(frozen=True)
class Limits:
    """What a person has set.

    :param due_days: after so many days a shipped order should be in a statement.
    :param tolerance: a difference up to this is none, in the order's currency.
    """

    due_days: int
    tolerance: Decimal


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
    """Recompute the findings of some days, and of every day that newly stored rows belong to, in one transaction.

    :param days: orders shipped, and rows valued, on these; None for all there is.
    """
    with connection.transaction():
        lock_findings(connection, account)
        connection.execute("set local work_mem = '64MB'")
        stale = connection.execute(sql.statement("settlements/take_stale_days"), {"account": account}).fetchall()
        tied = tie_lines(connection, account)
        touched = (days or frozenset()) | {day for (day,) in stale} | set(tied)
        scope = {"account": account, "everything": days is None, "days": sorted(touched)}
        for step in ("stage_scope", "stage_found"):
            connection.execute(sql.statement(f"settlements/{step}"))
        connection.execute(sql.statement("settlements/fill_scope"), scope)
        connection.execute("analyze settlement_scope")
        compared = {"account": account, "due_days": limits.due_days, "tolerance": limits.tolerance}
        connection.execute(sql.statement("settlements/find_order_differences"), compared)
        connection.execute(sql.statement("settlements/find_line_differences"), scope)
        connection.execute(sql.statement("settlements/find_held_payouts"), compared)
        changed = _count(connection, "open_findings", {"account": account})
        closed = _count(connection, "close_findings", scope)
        found = connection.execute(sql.statement("settlements/count_open_findings"), {"account": account}).fetchall()
    return Reconciliation(len(tied), changed, closed, dict(found))


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
