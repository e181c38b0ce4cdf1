"""Works off what waits for a person: resolves, ignores, comments, tries again; and decides about prices and refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.warehouse import need_marks, price_approval, refund_approval
from backmarket.warehouse.needs import APPROVALS, REFUND_APPROVALS, REFUNDS_IN_DOUBT
from backmarket.warehouse.refunds import settle_doubtful

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from backmarket.warehouse.approvals import ApprovalDesk
    from backmarket.warehouse.need_marks import Mark
    from backmarket.warehouse.needs import Answer, Need
    from backmarket.warehouse.snapshot import Reader, Row

DESKS: dict[str, ApprovalDesk[Any]] = {
    APPROVALS.name: price_approval.DESK,
    REFUND_APPROVALS.name: refund_approval.DESK,
}
"""Where the questions lie that a form in Airflow asks, too, by need."""


class Done(NamedTuple):
    """What came of working off the things that a person had chosen.

    :param items: those that it was done about.
    :param mark_ids: how it is noted, one each.
    :param run_ids: the runs whose form may have asked about them.
    """

    items: list[Row]
    mark_ids: list[int]
    run_ids: frozenset[str] = frozenset()


def choose(need: Need, chosen: Collection[str]) -> list[Row]:
    """Return the chosen things that still wait, and are what the person saw.

    :param need: with all its things, as they are now.
    :param chosen: their ``value``, which another detail changes.
    """
    return [item for item in need.items if item["value"] in chosen]


def work_off(database: Reader, need: Need, items: list[Row], mark: Mark, *, comment: str, by: str) -> Done:
    """Do one thing about some things, in the transaction of the reading that found them."""
    mark_ids = []
    for item in items:
        if mark == "retried" and need.statement == "needs_changes":
            need_marks.try_again(database.connection, database.account, item, by=by)
        mark_ids.append(
            need_marks.add_mark(database.connection, database.account, need.name, item, mark, comment=comment, by=by)
        )
    return Done(items, mark_ids)


def decide(
    database: Reader, need: Need, items: list[Row], answer: Answer, *, comment: str, by: str, decided_since: datetime
) -> Done:
    """Answer things that wait for a decision, each where it still does: the next plan goes by it.

    :param items: things of the need.
    :param decided_since: a decision made before this no longer holds.
    """
    decided, mark_ids, run_ids = [], [], set()
    for item in items:
        run_id = _DECIDED_BY[need.name](database, item, answer.mark, by, decided_since)
        if run_id is not None:
            mark_ids.append(
                need_marks.add_mark(
                    database.connection, database.account, need.name, item, answer.mark, comment=comment, by=by
                )
            )
            run_ids.add(run_id)
            decided.append(item)
    return Done(decided, mark_ids, frozenset(run_ids - {""}))


def _decide_price(database: Reader, item: Row, mark: Mark, by: str, decided_since: datetime) -> str | None:
    return price_approval.decide_waiting(
        database.connection,
        database.account,
        item["change_id"],
        (None if item["old_price"] is None else str(item["old_price"]), str(item["amount"])),
        "approved" if mark == "approved" else "refused",
        decided_by=by,
        decided_since=decided_since,
    )


def _decide_refund(database: Reader, item: Row, mark: Mark, by: str, decided_since: datetime) -> str | None:
    return refund_approval.decide_waiting(
        database.connection,
        database.account,
        item["change_id"],
        str(item["amount"]),
        "approved" if mark == "approved" else "refused",
        decided_by=by,
        decided_since=decided_since,
    )


def _settle_refund(database: Reader, item: Row, mark: Mark, by: str, _: datetime) -> str | None:
    """Settle a refund in doubt; what was not applied is planned anew, and a person is asked about it anew."""
    was_applied = mark == "paid_back"
    payload = settle_doubtful(database.connection, database.account, item["change_id"], was_applied=was_applied, by=by)
    if payload is None:
        return None
    if not was_applied:
        refund_approval.forget_decision(database.connection, database.account, payload)
    return ""


_DECIDED_BY: dict[str, Callable[[Reader, Row, Mark, str, datetime], str | None]] = {
    APPROVALS.name: _decide_price,
    REFUND_APPROVALS.name: _decide_refund,
    REFUNDS_IN_DOUBT.name: _settle_refund,
}
