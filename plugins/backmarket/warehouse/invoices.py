"""Remembers the files of the invoice folder, and which content each order has."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time by the named tuple
from typing import TYPE_CHECKING, NamedTuple

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.warehouse.connection import Connection


class InvoiceFile(NamedTuple):
    """A file as it was read.

    :param size: in bytes.
    :param order_id: None where its name says none.
    :param sha256: of its content; None where it was not read.
    :param reason: why it cannot be sent; None where it can.
    """

    path: str
    size: int
    modified_at: datetime
    order_id: int | None
    sha256: str | None
    reason: str | None = None


def known_files(connection: Connection, account: str) -> dict[str, InvoiceFile]:
    """Return the files as they were read last, by path."""
    rows = connection.execute(sql.statement("after_sales/select_invoice_files"), {"account": account})
    return {row[0]: InvoiceFile(*row) for row in rows}


def remember(connection: Connection, account: str, file: InvoiceFile) -> None:
    """Remember a file as it was read."""
    parameters = {**file._asdict(), "account": account, "path": clean(file.path)}
    connection.execute(sql.statement("after_sales/upsert_invoice_file"), parameters)


def forget_absent(connection: Connection, account: str, paths: Iterable[str]) -> None:
    """Forget the files that are not among these."""
    parameters = {"account": account, "paths": [clean(path) for path in paths]}
    connection.execute(sql.statement("after_sales/forget_invoice_files"), parameters)


def is_only_content(connection: Connection, account: str, order_id: str, sha256: str) -> bool:
    """Tell whether no other file of this order was ever sent."""
    parameters = {"account": account, "subject": order_id, "sha256": sha256}
    row = connection.execute(sql.statement("after_sales/count_other_invoices"), parameters).fetchone()
    return row == (0,)


def contents_of(
    connection: Connection, account: str, order_ids: Iterable[int], *, refused_since: datetime
) -> set[tuple[str, str]]:
    """Return the contents that orders have, or that Back Market refused since a moment: order id and SHA-256."""
    parameters = {"account": account, "subjects": [str(each) for each in order_ids], "since": refused_since}
    return set(connection.execute(sql.statement("after_sales/select_sent_invoices"), parameters).fetchall())
