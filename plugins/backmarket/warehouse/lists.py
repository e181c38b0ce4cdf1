"""Reads a list for people: PostgreSQL picks the rows that were asked for, puts them in order and counts them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from psycopg.sql import SQL, Composed

    from backmarket.warehouse.snapshot import Reader, Row

_ROWS_AT_ONCE = 1000


class Order(NamedTuple):
    """How a list is sorted.

    :param column: of its statement; never what somebody has typed.
    """

    column: str
    descending: bool = False


class Choice(NamedTuple):
    """Which rows of a list are wanted; by default all.

    :param kind: as the list's statement writes it.
    :param amount: the least, without its sign.
    :param days: the least age.
    :param text: a part of what a row is about or of its details, in any case of letters.
    """

    market: str = ""
    kind: str = ""
    amount: Decimal | None = None
    days: int | None = None
    text: str = ""


@dataclass(frozen=True)
class ListRows:
    """What was found.

    :param total: how many rows fit the choice, of which ``items`` are some.
    :param markets: of all rows of the list, whatever was chosen; so are ``kinds`` and ``has_amounts``.
    """

    total: int = 0
    markets: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    has_amounts: bool = False
    items: list[Row] = field(default_factory=list)


def read_first(
    database: Reader,
    statement: str,
    order: Order,
    *,
    most: int | None,
    parameters: Mapping[str, Any],
    within: Sequence[str] = (),
) -> tuple[int, list[Row]]:
    """Return how many rows a list has, and the first of them.

    :param statement: the one in ``include/sql/page.sql`` that has all its rows.
    :param most: how many rows to return; None: all.
    :param parameters: of the statement, besides account.
    :param within: statements around it that leave rows out or add to them, each with ``{rows}``; the innermost first.
    """
    if not database.can_read(statement, *within):
        return 0, []
    values = {"account": database.account, **parameters, "most": most}
    rows = list(database.connection.execute(_query("list_first", statement, order, within), values).fetchall())
    return (rows[0]["total"] if rows else 0), rows


def read_list(
    database: Reader,
    statement: str,
    order: Order,
    choice: Choice,
    *,
    most: int,
    skip: int = 0,
    parameters: Mapping[str, Any],
    within: Sequence[str] = (),
) -> ListRows:
    """Return the rows of a list that fit a choice, beside what there is to choose from.

    :param most: how many rows to return, after leaving out the first ``skip``.
    :param within: as for :func:`read_first`.
    """
    if not database.can_read(statement, *within):
        return ListRows()
    values = _values(database, choice, parameters, most=most, skip=skip)
    rows = database.connection.execute(_query("list_rows", statement, order, within), values).fetchall()
    first = rows[0]
    items = [row for row in rows if row["topic"] is not None]
    return ListRows(first["total"], first["markets"], first["kinds"], first["has_amounts"], items)


def stream_list(
    database: Reader,
    statement: str,
    order: Order,
    choice: Choice,
    parameters: Mapping[str, Any],
    within: Sequence[str] = (),
) -> Iterator[Row]:
    """Yield every row of a list that fits a choice, without holding all of them."""
    if not database.can_read(statement, *within):
        return
    values = _values(database, choice, parameters, most=None, skip=0)
    with database.connection.cursor("list") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        for row in cursor.execute(_query("list_rows", statement, order, within), values):
            if row["topic"] is not None:
                yield row


def _query(frame: str, statement: str, order: Order, within: Sequence[str]) -> Composed:
    from psycopg.sql import SQL, Identifier

    rows = rows_within(statement, within)
    direction = SQL(" desc" if order.descending else " asc")
    return SQL(sql.statement(f"page/{frame}")).format(rows=rows, order=Identifier(order.column) + direction)


def rows_within(statement: str, within: Sequence[str]) -> SQL | Composed:
    """Return a statement with others around it.

    :param statement: one in ``include/sql/page.sql``.
    :param within: as for :func:`read_first`.
    """
    from psycopg.sql import SQL

    rows: SQL | Composed = SQL(sql.statement(f"page/{statement}").rstrip().removesuffix(";"))
    for name in within:
        rows = SQL(sql.statement(f"page/{name}").rstrip().removesuffix(";")).format(rows=rows)
    return rows


def _values(
    database: Reader, choice: Choice, parameters: Mapping[str, Any], *, most: int | None, skip: int
) -> dict[str, Any]:
    return {"account": database.account, **choice._asdict(), **parameters, "most": most, "skip": skip}
