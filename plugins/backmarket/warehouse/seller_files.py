"""Stores what a file of the seller says: staged, compared and merged in one transaction, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time by the dataclass
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read at run time by the dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.sql import SQL, Composable, Composed, Identifier
from psycopg.types.json import Jsonb

from backmarket.api.markets import MARKETS
from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean
from backmarket.warehouse.seller_rows import (
    CATALOG,
    COSTS,
    DEVICE_COSTS,
    DEVICES,
    FX_RATES,
    PRICES,
    REFUNDS,
    SHIPMENTS,
    SKU_MAP,
    STOCK,
    STOCK_BY_WAREHOUSE,
    VAT_RATES,
    Form,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import LiteralString

    from backmarket.warehouse.connection import Connection


class Part(NamedTuple):
    """A table that holds some of the rows of a kind.

    :param table: with its schema.
    :param columns: those that it has, without the account.
    :param condition: which staged rows are its own, in SQL.
    """

    table: str
    columns: tuple[str, ...]
    condition: LiteralString = "true"


@dataclass(frozen=True)
class Target:
    """One of the seller's tables that files can fill.

    :param name: the table without its schema; names of files begin with it.
    :param keys: the columns that tell what a row is about; those that are not required may be empty.
    :param is_unique: whether there is one row a key; else a file says all rows of a key.
    :param required: the columns that a file must have, and each of its rows.
    :param is_snapshot: whether a file may say everything there is, so that what it does not name is gone.
    :param is_whole: whether a file with a row that cannot be used is refused, as what the others mean hangs on it.
    :param is_kept: whether what a file no longer says stays: yesterday's rates and costs are those of past sales.
    """

    name: str
    form: Form[Any]
    keys: tuple[str, ...]
    required: tuple[str, ...]
    is_unique: bool = True
    is_snapshot: bool = False
    is_whole: bool = False
    is_kept: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tables that hold its rows: those by warehouse lie apart."""
        if WAREHOUSE not in self.columns:
            return (Part(self.form.table, self.columns),)
        whole = tuple(name for name in self.columns if name != WAREHOUSE)
        return (
            Part(self.form.table, whole, "warehouse is null"),
            Part(STOCK_BY_WAREHOUSE, self.columns, "warehouse is not null"),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns but the account."""
        return tuple(self.form.columns)

    def with_account(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return columns with the account, if the table has one."""
        return ("account", *columns) if self.form.has_account else tuple(columns)

    def key_of(self, values: Mapping[str, Any]) -> str | None:
        """Return a row's key as one text; None where a part of it cannot be read."""
        if any(name not in values or (values[name] is None and name in self.required) for name in self.keys):
            return None
        return "/".join(str(values[name]) for name in self.keys if values[name] is not None)

    def keys_meant(self, values: Mapping[str, Any]) -> list[str]:
        """Return the keys that a row which cannot be used may be about; none where it may be any.

        One whose market is none of Back Market's may be about any market, and about no other SKU.
        """
        markets = MARKETS if MARKET in self.keys and values.get(MARKET) is None else ()
        keys = [self.key_of({**values, MARKET: market}) for market in markets] or [self.key_of(values)]
        return [key for key in keys if key is not None]


MARKET = "market"
WAREHOUSE = "warehouse"

TARGETS = {
    target.name: target
    for target in (
        Target("stock", STOCK, ("sku", "warehouse"), ("sku", "quantity"), is_snapshot=True),
        Target("prices", PRICES, ("sku", "market"), ("sku", "market", "price", "currency"), is_snapshot=True),
        Target("shipments", SHIPMENTS, ("order_id",), ("order_id", "tracking_number"), is_unique=False),
        Target("devices", DEVICES, ("order_id",), ("order_id",), is_unique=False),
        Target("catalog", CATALOG, ("sku",), ("sku",)),
        Target("sku_map", SKU_MAP, ("sku",), ("sku", "listing_sku"), is_unique=False, is_whole=True),
        Target("refunds", REFUNDS, ("order_id", "orderline_id"), ("order_id", "kind"), is_unique=False),
        Target("costs", COSTS, ("sku",), tuple(COSTS.columns), is_kept=True),
        Target("device_costs", DEVICE_COSTS, ("imei_or_serial",), tuple(DEVICE_COSTS.columns), is_kept=True),
        Target("fx_rates", FX_RATES, ("day", "from_currency", "to_currency"), tuple(FX_RATES.columns), is_kept=True),
        Target("vat_rates", VAT_RATES, ("market", "valid_from"), tuple(VAT_RATES.columns)),
    )
}


class KnownFile(NamedTuple):
    """A file of the inbox as it was when it was read."""

    size: int
    modified_at: datetime
    status: str
    is_gone: bool
    is_settled: bool
    read_at: datetime


class KnownContent(NamedTuple):
    """The file that had some content when that was loaded.

    :param stored_at: when that version of it was stored.
    """

    path: str
    stored_at: datetime


class FileState(NamedTuple):
    """What became of a file.

    :param modified_at: when it was stored, as its storage says.
    :param stored_at: when it was stored, which is no later than it was seen.
    :param status: ``loaded``; ``refused``: nothing of it is stored; ``held``: it would have taken too much away;
        ``superseded``: a newer one that says everything is loaded.
    :param reason: why nothing of it is stored, for a person.
    :param is_settled: whether nothing but another file would change that; else the next run reads it again as it is.
    """

    path: str
    target: str
    size: int
    modified_at: datetime
    stored_at: datetime
    sha256: str
    status: str = "loaded"
    reason: str = ""
    row_count: int = 0
    rejected: int = 0
    new_rows: int = 0
    changed_rows: int = 0
    gone_rows: int = 0
    is_settled: bool = True


class RunCounts(NamedTuple):
    """What came of the files that a run has read: how many are loaded, and of how many rows what became."""

    loaded: int
    new: int
    changed: int
    gone: int
    rejected: int


class Differences(NamedTuple):
    """What a file changes: keys that are new, said otherwise, unchanged and gone, and how many could be gone."""

    new: int
    changed: int
    unchanged: int
    gone: int
    known: int


class Staging:
    """The rows of one file, staged in the transaction of a connection that holds :func:`lock_rows`.

    :param account: whose rows they are.
    :param path: the file's.
    """

    def __init__(self, connection: Connection, account: str, target: Target, path: str) -> None:
        self._connection = connection
        self._target = target
        self._parts: dict[str, Composable] = {
            "stored": _stored_rows(target),
            "key": _key(target.keys),
            "columns": _names(("account", *target.columns)),
            "is_full": SQL("quantity::text <> '0'") if target.name == "stock" else SQL("true"),
        }
        self._values: dict[str, Any] = {"account": account, "target": target.name, "path": path}
        self._run("stage_rows")

    def copy(self, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Stage rows, each with its number in the file."""
        account, columns = self._values["account"], self._target.columns
        names = SQL(", ").join(map(Identifier, ("account", *columns, "row_no")))
        statement = SQL("copy staged_seller_rows ({}) from stdin").format(names)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for number, values in rows:
                copy.write_row([account, *[_stored(values[column]) for column in columns], number])

    def drop_doubles(self) -> list[int]:
        """Drop rows that repeat another, and all that contradict each other; return the numbers of the latter."""
        self._run("drop_twins")
        if not self._target.is_unique:
            return []
        return [row[0] for row in self._run("find_doubles")]

    def drop_older(self, stored_at: datetime) -> int:
        """Drop rows about what a newer file has said, and return how many.

        :param stored_at: when the file was stored.
        """
        query = SQL(sql.statement("seller_files/drop_older")).format(**self._parts)
        return self._connection.execute(query, {**self._values, "stored_at": stored_at}).rowcount

    def compare(self, *, is_snapshot: bool, rejected_keys: Sequence[str]) -> Differences:
        """Find out what the rows change.

        :param is_snapshot: whether what they do not name is gone; else that which this file said earlier.
        :param rejected_keys: what rows say that cannot be used: nothing of it is gone.
        """
        self._values["rejected_keys"] = [clean(key) for key in rejected_keys]
        self._connection.execute("analyze staged_seller_rows")
        self._run("stage_known_keys")
        self._run("stage_differences")
        gone = "stage_gone_of_none" if self._target.is_kept else "stage_gone_of_file"
        self._run("stage_gone_of_snapshot" if is_snapshot else gone)
        ((new, changed, unchanged),) = self._run("select_differences")
        ((gone, known),) = self._run("count_gone_rows")
        return Differences(new, changed, unchanged, gone, known)

    def merge(self, counted_at: datetime) -> None:
        """Bring the table to what the rows say.

        :param counted_at: from when on nothing is left of a SKU that a stock file does not count any more.
        """
        self._values["counted_at"] = counted_at
        for part in self._target.parts:
            table = {
                "table": Identifier(*part.table.split(".")),
                "table_columns": _names(self._target.with_account(part.columns)),
                "is_own": SQL("account::text = %(account)s" if self._target.form.has_account else "true"),
                "table_key": _key([name for name in self._target.keys if name in part.columns]),
                "is_of_table": SQL(part.condition),
            }
            if self._target.name == "stock":
                self._run("zero_stock", **table)
            else:
                self._run("delete_rows", differing=Identifier("gone_seller_rows"), **table)
            self._run("delete_rows", differing=Identifier("differing_seller_rows"), **table)
            self._run("insert_rows", **table)
        self._run("forget_rows")
        self._run("adopt_rows")

    def _run(self, name: str, **parts: Composable) -> list[Any]:
        query = SQL(sql.statement(f"seller_files/{name}")).format(**{**self._parts, **parts})
        cursor = self._connection.execute(query, self._values)
        return cursor.fetchall() if cursor.description else []


def lock_rows(connection: Connection, account: str, target: Target) -> None:
    """Wait until no other transaction loads a file for a table; holds to the end of this one.

    :param account: whose rows they are; those of a table that knows no account are everybody's.
    """
    name = f"seller/{account}/{target.name}" if target.form.has_account else f"seller//{target.name}"
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def newer_file(connection: Connection, account: str, target: str, path: str, stored_at: datetime) -> str | None:
    """Return the path of the newest other file that is loaded for a table; None where it is not newer than this one."""
    parameters = {"account": account, "target": target, "path": clean(path), "stored_at": stored_at}
    row = connection.execute(sql.statement("seller_files/select_newer_file"), parameters).fetchone()
    return str(row[0]) if row else None


def account_that_has(connection: Connection, account: str, state: FileState) -> str | None:
    """Return another account whose table this very file has filled; None where there is none.

    To be called in a transaction: of two accounts that load one file at once, the second finds the first.
    """
    parameters = {"account": account, "target": state.target, "path": clean(state.path), "sha256": state.sha256}
    name = f"seller_file/{state.path}"
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [clean(name)])
    row = connection.execute(sql.statement("seller_files/select_other_account"), parameters).fetchone()
    return str(row[0]) if row else None


def count_run(connection: Connection, account: str, run_id: str) -> RunCounts:
    """Return what came of the files that a run has read, in all of its attempts."""
    parameters = {"account": account, "run_id": run_id}
    (counts,) = connection.execute(sql.statement("seller_files/count_run"), parameters).fetchall()
    return RunCounts(*map(int, counts))


def known_files(connection: Connection, account: str) -> dict[str, KnownFile]:
    """Return the files read so far, by path."""
    rows = connection.execute(sql.statement("seller_files/select_files"), {"account": account}).fetchall()
    return {path: KnownFile(*known) for path, *known in rows}


def release_files(connection: Connection, account: str, entity: str, paths: Sequence[str]) -> None:
    """Note that files are not in the inbox any more, and let go what the quarantine says of them.

    :param entity: what they are in quarantine as, before their path.
    """
    parameters = {"account": account, "entity": entity, "paths": list(paths)}
    connection.execute(sql.statement("seller_files/release_files"), parameters)


def known_content(connection: Connection, account: str, target: str, sha256: str) -> KnownContent | None:
    """Return the file that was loaded last for a table, where it had this content and all of its rows were used."""
    parameters = {"account": account, "target": target, "sha256": sha256}
    row = connection.execute(sql.statement("seller_files/select_known_content"), parameters).fetchone()
    return KnownContent(*row) if row else None


def adopt_copy(connection: Connection, account: str, state: FileState, original: KnownContent) -> None:
    """Let a file be the one that says what another of the same content says."""
    if state.path != original.path:
        parameters = {"account": account, "target": state.target, "path": clean(state.path), "original": original.path}
        connection.execute(sql.statement("seller_files/adopt_copy"), parameters)


def remember(connection: Connection, account: str, state: FileState, *, run_id: str) -> None:
    """Write down what became of a file."""
    values = {**state._asdict(), "path": clean(state.path), "reason": clean(state.reason)}
    connection.execute(sql.statement("seller_files/upsert_file"), {**values, "account": account, "run_id": run_id})


def why_not_fillable(connection: Connection, target: Target) -> str:
    """Return why files cannot fill a table, for a person; empty where they can."""
    schema, _, name = target.form.table.partition(".")
    row = connection.execute(sql.statement("seller_files/kind_of_table"), {"schema": schema, "name": name}).fetchone()
    if row and row[0] in {"r", "p"}:
        return ""
    what = "is not there" if row is None else "is a view"
    return f"{target.form.table} {what}: files fill tables alone. Take the file out of the inbox, or the view away"


def _key(columns: Iterable[str]) -> Composed:
    # A market in capitals, as other programs may have stored it, is the same.
    text = {MARKET: SQL("backmarket.market_key({}::text)")}
    parts = SQL(", ").join(text.get(name, SQL("{}::text")).format(Identifier(name)) for name in columns)
    return SQL("concat_ws('/', {})").format(parts)


def _names(columns: Iterable[str]) -> Composed:
    return SQL(", ").join(map(Identifier, columns))


def _stored_rows(target: Target) -> Composed:
    """Return what stands after ``from`` to read all rows, whichever table holds them; rows of none are everybody's."""
    missing = SQL("null::text as {}")
    whose = SQL("account" if target.form.has_account else "%(account)s::text as account")
    reads = []
    for part in target.parts:
        names = [
            Identifier(name) if name in part.columns else missing.format(Identifier(name)) for name in target.columns
        ]
        table = Identifier(*part.table.split("."))
        reads.append(SQL("select {}, {} from {}").format(whose, SQL(", ").join(names), table))
    return SQL("({}) as stored").format(SQL(" union all ").join(reads))


def _stored(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, list | dict) else value
