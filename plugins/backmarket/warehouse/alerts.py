"""Remembers what people were alerted of, so that they are not told the same every few minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backmarket.warehouse.connection import Connection


def note_told(connection: Connection, account: str, subjects: Iterable[str], *, repeat_hours: int) -> set[str]:
    """Note that people are told of these subjects, in the transaction of the sending: rolled back, they were not.

    :param repeat_hours: what they were told of within so many hours is not told again.
    :return: the subjects to tell of.
    """
    parameters = {"account": account, "subjects": list(subjects), "repeat_hours": repeat_hours}
    return {subject for (subject,) in connection.execute(sql.statement("alerts/insert_told"), parameters).fetchall()}


def forget_told(connection: Connection, account: str, *, repeat_hours: int) -> None:
    """Forget what people were told of more than 30 days ago.

    :param repeat_hours: what is to be told again only after so many hours is known for so long.
    """
    connection.execute(sql.statement("alerts/purge_told"), {"account": account, "repeat_hours": repeat_hours})
