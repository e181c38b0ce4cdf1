"""Works off what waits for a person: resolves, ignores, comments, tries again; and decides about prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backmarket.warehouse import need_marks, price_approval

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from backmarket.warehouse.need_marks import Mark
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader, Row


class Done(NamedTuple):
    """What came of working off the things that a person had chosen.

    :param items: those that it was done about.
    :param mark_ids: how it is noted, one each.
    :param run_ids: of prices: the runs whose form may have asked about them.
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


def decide_prices(
    database: Reader, items: list[Row], *, is_approved: bool, comment: str, by: str, decided_since: datetime
) -> Done:
    """Approve or decline moves of prices, as the form in Airflow does: the next plan sends what still is the plan.

    :param items: moves that wait.
    :param decided_since: a decision made before this no longer holds.
    """
    decided, mark_ids, run_ids = [], [], set()
    for item in items:
        run_id = price_approval.decide_waiting(
            database.connection,
            database.account,
            item["change_id"],
            (str(item["old_price"]), str(item["amount"])),
            "approved" if is_approved else "refused",
            decided_by=by,
            decided_since=decided_since,
        )
        if run_id is not None:
            mark: Mark = "approved" if is_approved else "declined"
            mark_ids.append(
                need_marks.add_mark(
                    database.connection, database.account, "approvals", item, mark, comment=comment, by=by
                )
            )
            run_ids.add(run_id)
            decided.append(item)
    return Done(decided, mark_ids, frozenset(run_ids))
