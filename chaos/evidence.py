"""What the judge looks at: the sandbox's truth and journal, the database, the seller's books, and the logs."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from chaos.seller import Books

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from chaos.stage import Stage

Json = dict[str, Any]

_TABLES = {
    "orders": "select order_id, state, tracking_number, gone_at from backmarket.orders",
    "lines": """
        select orderline_id, order_id, sku, quantity, price, state, imei, serial_number
        from backmarket.order_lines where gone_at is null
    """,
    "listings": "select id::text, sku, quantity, grade, gone_at from backmarket.listings",
    "offers": """
        select id::text, market, price, publication_state from backmarket.listing_offers where gone_at is null
    """,
    "changes": """
        select change_id, kind, subject, market, payload, status, attempts, reason from backmarket.changes
        order by change_id
    """,
    "statement_rows": """
        select currency, count(*) as rows, sum(amount) as total
        from backmarket.settlement_lines where not vanished group by currency
    """,
    "shipments": "select order_id, tracking_number, shipper from seller.shipments",
    "care_folders": "select care_folder_id, state from backmarket.care_folders where gone_at is null",
    "care_messages": "select care_folder_id, message_id, message from backmarket.care_messages",
    "returns": "select shipment_id, orderline_id, date_delivery from backmarket.returns",
}


@dataclass(frozen=True)
class Loss:
    """Something that must not happen, and did.

    :param kind: one of `chaos.judge.KINDS`.
    :param subject: what it happened to.
    :param what: what is the case, and what should be.
    """

    kind: str
    subject: str
    what: str


@dataclass
class Database:
    """The rows of the operational database that are compared, by table."""

    orders: list[Json] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    listings: list[Json] = field(default_factory=list)
    offers: list[Json] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    statement_rows: list[Json] = field(default_factory=list)
    shipments: list[Json] = field(default_factory=list)
    care_folders: list[Json] = field(default_factory=list)
    care_messages: list[Json] = field(default_factory=list)
    returns: list[Json] = field(default_factory=list)


@dataclass
class Evidence:
    """Everything, as plain data.

    :param before: the orders as they were at the start.
    :param orders: all orders of the sandbox, hidden ones too.
    :param listings: all listings of the sandbox.
    :param journal: every request that reached it, oldest first.
    :param refunds: every refund that it applied, by its own record; so with invoices, care folders and returns.
    :param interrupted: the runs that were killed, or under way when PostgreSQL crashed.
    """

    before: list[Json] = field(default_factory=list)
    orders: list[Json] = field(default_factory=list)
    listings: list[Json] = field(default_factory=list)
    journal: list[Json] = field(default_factory=list)
    database: Database = field(default_factory=Database)
    books: Books = field(default_factory=Books)
    statements: list[Json] = field(default_factory=list)
    refunds: list[Json] = field(default_factory=list)
    invoices: list[Json] = field(default_factory=list)
    care_folders: list[Json] = field(default_factory=list)
    returns: list[Json] = field(default_factory=list)
    interrupted: frozenset[str] = frozenset()


def gather(
    stage: Stage, before: list[Json], journal: list[Json], books: Books, interrupted: Iterable[str] = ()
) -> Evidence:
    """Read all of it."""
    with psycopg.connect(stage.warehouse_uri, row_factory=dict_row) as connection:
        tables = {name: connection.execute(query.encode()).fetchall() for name, query in _TABLES.items()}
    return Evidence(
        before=before,
        orders=stage.sandbox.orders(),
        listings=stage.sandbox.listings(),
        journal=sorted(journal, key=lambda entry: int(entry["at"])),
        database=Database(**tables),
        books=books,
        statements=list(_statement_rows(stage.inbox)),
        refunds=stage.sandbox.refunds(),
        invoices=stage.sandbox.invoices(),
        care_folders=stage.sandbox.care_folders(),
        returns=stage.sandbox.returns(),
        interrupted=frozenset(interrupted),
    )


def _statement_rows(inbox: Path) -> Iterator[Json]:
    for path in sorted(inbox.glob("*.csv")):
        yield from csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
