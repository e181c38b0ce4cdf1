"""Stores after-sales conversations (care folders)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.care import Written, sender_of, turn_of
from backmarket.warehouse import after_sales, sql
from backmarket.warehouse.jsonb import cleaned, dump
from backmarket.warehouse.orders import hiding_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from backmarket.api.models.care import CareFolder, CareMessage, ReturnLabel
    from backmarket.warehouse.connection import Connection

ENTITY = "care_folder"


class Known(NamedTuple):
    """What is stored of a folder by which a list tells whether it has changed."""

    state: int | None
    date_modification: datetime | None
    date_last_message: datetime | None


def known_folders(connection: Connection, account: str, care_folder_ids: Iterable[int]) -> dict[int, Known]:
    """Return what is stored of these folders."""
    parameters = {"account": account, "care_folder_ids": list(care_folder_ids)}
    rows = connection.execute(sql.statement("after_sales/select_known_folders"), parameters)
    return {care_folder_id: Known(*known) for care_folder_id, *known in rows}


def open_folders(connection: Connection, account: str) -> list[int]:
    """Return the folders that are open here."""
    rows = connection.execute(sql.statement("after_sales/select_open_folders"), {"account": account})
    return [care_folder_id for (care_folder_id,) in rows]


def unread_folders(connection: Connection, account: str) -> list[int]:
    """Return the folders that Back Market could not serve when they were asked for last, the longest ago first."""
    rows = connection.execute(sql.statement("after_sales/select_unread_folders"), {"account": account})
    return [care_folder_id for (care_folder_id,) in rows]


def keep_unread(connection: Connection, account: str, failed: Mapping[int, str]) -> None:
    """Remember the folders that Back Market could not serve, each with the reason."""
    parameters = {"account": account, "care_folder_ids": list(failed), "reasons": list(failed.values())}
    connection.execute(sql.statement("after_sales/keep_unread_folders"), cleaned(parameters))


def forget_unread(connection: Connection, account: str, care_folder_ids: list[int]) -> None:
    """Forget that these folders could not be served: Back Market has answered for them."""
    parameters = {"account": account, "care_folder_ids": care_folder_ids}
    connection.execute(sql.statement("after_sales/forget_unread_folders"), parameters)


def mark_gone(connection: Connection, account: str, care_folder_ids: list[int]) -> None:
    """Record that Back Market no longer serves these folders."""
    connection.execute(
        sql.statement("after_sales/mark_folders_gone"), {"account": account, "care_folder_ids": care_folder_ids}
    )


def store_folder(
    connection: Connection, account: str, folder: CareFolder, read_at: datetime, *, kept: Collection[str]
) -> str:
    """Store a folder with its messages, in one transaction.

    :param read_at: Back Market's own time of the reading.
    :param kept: what quarantine calls those of its messages that cannot be understood.
    :return: whether it was ``new``, ``changed``, or ``unchanged`` because a newer reading is stored.
    """
    turn = turn_of([_written(message) for message in folder.messages], folder.state)
    parameters = {
        "account": account,
        "care_folder_id": folder.care_folder_id,
        "orderline_id": folder.orderline_id,
        "order_id": folder.order_id,
        "state": folder.state,
        "country_code": folder.country_code,
        "issues": folder.issues,
        "return_labels": dump([_label(each) for each in folder.return_labels]),
        "date_creation": folder.date_creation,
        "date_modification": folder.date_modification,
        "date_last_message": folder.date_last_message,
        "date_closed": folder.date_closed,
        "last_message_by": turn.last_by,
        "waits_for": turn.waits_for,
        "waits_since": turn.since,
        "document": dump(folder.impersonal_document),
        "read_at": read_at,
    }
    with connection.transaction(), hiding_values("care_folders"):
        row = connection.execute(sql.statement("after_sales/upsert_folder"), cleaned(parameters)).fetchone()
        if row is None:
            return "unchanged"
        for message in folder.messages:
            _store_message(connection, account, folder.care_folder_id, message)
        after_sales.release(connection, account, ENTITY, [str(folder.care_folder_id)], kept=kept)
    return "new" if row[0] else "changed"


def _store_message(connection: Connection, account: str, care_folder_id: int, message: CareMessage) -> None:
    parameters = {
        "account": account,
        "care_folder_id": care_folder_id,
        "message_id": message.message_id,
        "sender": sender_of(message.initiator, message.kind),
        "kind": message.kind,
        "is_informative": message.is_informative,
        "date_creation": message.date_creation,
        "message": message.text,
        "attachments": message.attachments,
    }
    connection.execute(sql.statement("after_sales/upsert_message"), cleaned(parameters))


def _written(message: CareMessage) -> Written:
    return Written(message.message_id, message.initiator, message.kind, message.is_informative, message.date_creation)


def _label(label: ReturnLabel) -> dict[str, str | None]:
    created = label.date_creation
    return {
        "url": label.url,
        "state": label.state,
        "kind": label.kind,
        "date_creation": created.isoformat() if created else None,
    }
