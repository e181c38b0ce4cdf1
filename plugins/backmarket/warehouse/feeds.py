"""Judges the seller's tables as a whole: a few bad rows are left out, a table of bad rows is a failure."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean
from backmarket.warehouse.seller_rows import DEVICES, FORMS, REFUNDS, SHIPMENTS, STOCK_BY_WAREHOUSE, is_blank
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from decimal import Decimal
    from typing import LiteralString

    from psycopg.sql import Composed

    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import LeftOut, SellerRows

# Statements leave out rows of these whose order needs nothing more: they can be used.
_READ_IN_PART = frozenset({SHIPMENTS.table, DEVICES.table, REFUNDS.table})
_MOST_REASONS = 3
# Classes of SQLSTATE by which our own database asks for another try, or lacks room: no fault of a view.
_OF_OUR_DATABASE = frozenset({"40", "53", "55", "58"})
_log = logging.getLogger(__name__)
_ADVICE = "Correct the table, or the view in its place; the next run reads it anew."


class FeedUnusableError(Exception):
    """A table of the seller cannot be used as a whole; everything else was done."""


@dataclass(frozen=True, slots=True)
class UnusableFeed:
    """A table of the seller that cannot be used as a whole.

    :param rows: how many it has; None where it cannot be read at all.
    :param left_out: how many of them cannot be used.
    :param reasons: the first of these, each with its reason.
    """

    table: str
    rows: int | None
    left_out: int
    reasons: Sequence[str]

    def __str__(self) -> str:
        """Say which table, how many rows, the first reasons, and what to do."""
        reasons = "; ".join(self.reasons)
        if self.rows is None:
            return f"{self.table} cannot be read: {reasons}. {_ADVICE}"
        good = "Nothing new was sent from it." if self.left_out >= self.rows else "Its other rows were used."
        return (
            f"{self.table} cannot be used: {self.left_out:,} of {counted(self.rows, 'row')}. The first: {reasons}. "
            f"{good} {_ADVICE} backmarket.quarantine holds every row with its reason."
        )


def select(
    connection: Connection, table: str, statement: LiteralString | Composed, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement that reads one of the seller's tables, or the view in its place.

    :raises FeedUnusableError: where the table has not the columns it should, or its view fails. Of PostgreSQL's words
        only those are passed on that name columns: others may quote what stands in them.
    """
    rows, why = _rows_or_why_not(connection, statement, parameters)
    if rows is None:
        found = UnusableFeed(table, None, 0, [why])
        _store(connection, parameters["account"], found, run_id=None, is_unusable=True)
        raise FeedUnusableError(f"{table} cannot be read: {why}. {_ADVICE}")
    return rows


def select_if_readable(
    connection: Connection, statement: LiteralString | Composed, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]] | None:
    """Run a statement as :func:`select` does, for whom can do without the table: the task that it feeds tells of it.

    :return: None where the table cannot be read.
    """
    return _rows_or_why_not(connection, statement, parameters)[0]


def select_whole(
    connection: Connection, table: str, statement: LiteralString | Composed, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a statement as :func:`select` does that reads all of a table, and note that it can be read again.

    Not every task that reads a table judges it, too.
    """
    rows = select(connection, table, statement, parameters)
    cleared = {"account": parameters["account"], "feed": table}
    connection.execute(sql.statement("feeds/clear_unreadable"), cleared)
    return rows


def judge(connection: Connection, account: str, feed: SellerRows[Any], *, limit_pct: Decimal, run_id: str) -> list[str]:
    """Store how much of a table can be used, for the page, and return the table where it is unusable as a whole.

    :param feed: all that was read of it.
    :param limit_pct: with a larger share of unusable rows the table is unusable; without a usable row it always is.
    :return: the table's name, or nothing.
    """
    rows = _count(connection, account, feed.table) if feed.table in _READ_IN_PART else len(feed.rows)
    rows += 0 if feed.table in _READ_IN_PART else len(feed.left_out)
    # A parcel or device without an order, as of another shop, is no sign that the table is broken.
    broken = [each for each in feed.left_out if not _is_of_another_shop(each)]
    rows -= len(feed.left_out) - len(broken)
    is_unusable = bool(broken) and (len(broken) >= rows or 100 * len(broken) > limit_pct * rows)
    reasons = [f"{feed.named_by} {each.key}: {each.reason}" for each in broken[:_MOST_REASONS]]
    found = UnusableFeed(feed.table, rows, len(broken), reasons)
    _store(connection, account, found, run_id=run_id, is_unusable=is_unusable)
    return [feed.table] if is_unusable else []


def unusable(connection: Connection, account: str, tables: Collection[str]) -> list[UnusableFeed]:
    """Return those of these tables that the newest reading found unusable as a whole."""
    parameters = {"account": account, "feeds": list(tables)}
    return [UnusableFeed(*row) for row in connection.execute(sql.statement("feeds/select_unusable"), parameters)]


def rows_by_account(connection: Connection) -> Iterator[tuple[str, str, int]]:
    """Yield each of the seller's tables, what stands in its column ``account``, and in how many rows.

    A table that cannot be read is named in the log: the task that it feeds says more.
    """
    from psycopg import Error
    from psycopg.sql import SQL, Identifier

    for table in (*(form.table for form in FORMS if form.has_account), STOCK_BY_WAREHOUSE):
        query = SQL(sql.statement("feeds/count_by_account")).format(table=Identifier(*table.split(".")))
        try:
            rows = connection.execute(query).fetchall()
        except Error as error:
            _log.warning("%s could not be looked at: %s", table, type(error).__name__)
            continue
        yield from ((table, given, count) for given, count in rows)


def store_unclaimed(connection: Connection, account: str, found: Sequence[tuple[str, str, int]]) -> None:
    """Make these rows all that are told of as meant for an account; those told before keep their first moment.

    :param found: table, what stands in ``account``, and in how many rows.
    """
    tables, given, counts = (list(column) for column in zip(*found, strict=True)) if found else ([], [], [])
    parameters = {"account": account, "feeds": tables, "given": given, "row_counts": counts}
    with connection.transaction():
        connection.execute(sql.statement("feeds/delete_unclaimed"), parameters)
        connection.execute(sql.statement("feeds/upsert_unclaimed"), parameters)


def _rows_or_why_not(
    connection: Connection, statement: LiteralString | Composed, parameters: Mapping[str, Any]
) -> tuple[list[tuple[Any, ...]] | None, str]:
    """Return the rows of one of the seller's tables; or None, and why it cannot be read."""
    from psycopg import errors

    try:
        return connection.execute(statement, parameters).fetchall(), ""
    except (errors.UndefinedColumn, errors.UndefinedTable) as error:
        why = error.diag.message_primary or type(error).__name__
    except errors.InsufficientPrivilege:
        why = "the login of the connection may not read it"
    except errors.DataError as error:
        why = f"its view fails ({type(error).__name__}); cast nothing there: texts are read, too"
    except (errors.ProgrammingError, errors.NotSupportedError) as error:
        # A function of the seller's own that raises, a type that nothing is compared with.
        why = f"its view fails ({type(error).__name__})"
    except (errors.OperationalError, errors.InternalError) as error:
        # A foreign table whose server does not answer, a view that takes too long: our own connection is well.
        if connection.closed or (error.sqlstate or "40")[:2] in _OF_OUR_DATABASE:
            raise
        why = f"its view, or what that reads from, does not answer ({type(error).__name__})"
    return None, why


def _is_of_another_shop(row: LeftOut) -> bool:
    return "order_id" in row.document and is_blank(row.document["order_id"])


def _count(connection: Connection, account: str, table: str) -> int:
    from psycopg.sql import SQL, Identifier

    query = SQL(sql.statement("feeds/count_rows")).format(table=Identifier(*table.split(".")))
    row = connection.execute(query, {"account": account}).fetchone()
    return int(row[0]) if row else 0


def _store(connection: Connection, account: str, feed: UnusableFeed, *, run_id: str | None, is_unusable: bool) -> None:
    parameters = {
        "account": account,
        "feed": feed.table,
        "row_count": feed.rows,
        "left_out": feed.left_out,
        "reasons": [clean(reason) for reason in feed.reasons],
        "is_unusable": is_unusable,
        "run_id": run_id,
    }
    connection.execute(sql.statement("feeds/upsert_feed"), parameters)
