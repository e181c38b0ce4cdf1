"""The ledger holds nothing illegal: every move of a change is allowed by one table, or refused by the database."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import psycopg
import pytest

from backmarket.warehouse.ledger import PlannedStatus, Settlement

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES = sorted({*get_args(PlannedStatus), *get_args(Settlement), "sent"})
# As decision 13 states them; the third says whether it holds for a change that was sent before, or never.
ALLOWED = {
    *product(("planned",), ("awaiting_approval", "dry_run", "sent", "superseded"), (True, False)),
    *product(("awaiting_approval",), ("planned", "dry_run", "superseded"), (True, False)),
    *product(("dry_run",), ("planned", "awaiting_approval", "superseded"), (True, False)),
    *product(("sent",), ("confirmed", "refused", "unknown", "planned", "superseded"), (True, False)),
    *product(("unknown",), ("confirmed", "refused", "planned", "superseded"), (True, False)),
    ("planned", "confirmed", True),
    ("refused", "confirmed", True),
    ("refused", "superseded", False),
}


def _pairs() -> Iterator[tuple[str, str, bool]]:
    for one, other, sent_before in product(STATUSES, STATUSES, (True, False)):
        if one != other:
            yield one, other, sent_before


def _insert(warehouse: psycopg.Connection[Any], status: str, attempts: int) -> int:
    row = warehouse.execute(
        b"insert into backmarket.changes (account, kind, subject, payload, status, attempts) "
        b"values ('default', 'price', 'A', '{\"price\": \"1\"}', %s, %s) returning change_id",
        [status, attempts],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_status_is_looked_at() -> None:
    """A new status needs a word on its moves."""
    assert STATUSES == [
        "awaiting_approval",
        "confirmed",
        "dry_run",
        "planned",
        "refused",
        "sent",
        "superseded",
        "unknown",
    ]


def test_every_move_is_allowed_by_the_table_or_refused(warehouse: psycopg.Connection[Any]) -> None:
    """Each pair of statuses, sent before or never, by a statement written by hand: 112 of them."""
    wrong = []
    for one, other, sent_before in _pairs():
        change_id = _insert(warehouse, one, int(sent_before))
        refusal = ""
        try:
            warehouse.execute(b"update backmarket.changes set status = %s where change_id = %s", [other, change_id])
        except psycopg.errors.CheckViolation as error:
            refusal = str(error)
        is_right = f"Change {change_id} is {one} and cannot become {other}" in refusal if refusal else True
        if (not refusal) != ((one, other, sent_before) in ALLOWED) or not is_right:
            wrong.append((one, other, sent_before))
        warehouse.execute(b"alter table backmarket.changes disable trigger user")
        warehouse.execute(b"delete from backmarket.changes")
        warehouse.execute(b"alter table backmarket.changes enable trigger user")
    assert wrong == []


def test_a_refusal_of_back_market_ends_where_a_person_has_it_tried_again(warehouse: psycopg.Connection[Any]) -> None:
    """The ledger says who that is."""
    change_id = _insert(warehouse, "refused", 1)
    statement = b"update backmarket.changes set status = 'superseded', tried_again_by = %s where change_id = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="is refused and cannot become superseded"):
        warehouse.execute(statement, [None, change_id])
    warehouse.execute(statement, ["kim", change_id])


@pytest.mark.parametrize("status", ["sent", "unknown", "confirmed", "refused", "superseded"])
def test_what_was_sent_or_decided_cannot_be_rewritten(warehouse: psycopg.Connection[Any], status: str) -> None:
    """Neither what was sent nor what it was about."""
    change_id = _insert(warehouse, status, 1)
    for assignment in (b"payload = '{}'", b"subject = 'B'", b"market = 'de-de'", b"kind = 'quantity'"):
        with pytest.raises(psycopg.errors.CheckViolation, match="cannot be rewritten"):
            warehouse.execute(b"update backmarket.changes set " + assignment + b" where change_id = %s", [change_id])


@pytest.mark.parametrize("status", ["sent", "unknown"])
def test_what_may_be_under_way_cannot_be_deleted(warehouse: psycopg.Connection[Any], status: str) -> None:
    """The next run must find it, or it would send it again."""
    change_id = _insert(warehouse, status, 1)
    with pytest.raises(psycopg.errors.CheckViolation, match="cannot be deleted"):
        warehouse.execute(b"delete from backmarket.changes where change_id = %s", [change_id])
