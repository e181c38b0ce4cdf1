"""Keeps, whole, what came in and could not be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean, dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backmarket.api.models import Unreadable
    from backmarket.warehouse.connection import Connection


def keep(connection: Connection, account: str, entity: str, documents: Mapping[str, Unreadable]) -> None:
    """Store documents by their keys; a document seen before replaces its older version.

    :param entity: what the document should have been, such as ``order``.
    """
    for key, unreadable in documents.items():
        connection.execute(
            sql.statement("quarantine/insert_quarantine"),
            {
                "account": account,
                "entity": entity,
                "key": clean(key),
                "document": dump(unreadable.document),
                "reason": unreadable.reason,
            },
        )
