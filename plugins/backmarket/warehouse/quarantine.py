"""Keeps, whole, what came in and could not be understood."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from backmarket.warehouse import sql
from backmarket.warehouse.jsonb import clean, dump

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backmarket.api.models import Unreadable
    from backmarket.warehouse.connection import Connection


# The longest that every index of the table holds, with the other columns of the key; and what of it is kept to name
# whose part a document is.
_LONGEST_KEY, _LONGEST_OWNER = 200, 100


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
                "key": key_of(key),
                "document": dump(unreadable.document),
                "reason": unreadable.reason,
            },
        )


def replace(
    connection: Connection,
    account: str,
    entity: str,
    documents: Mapping[str, tuple[Mapping[str, Any], str]],
    *,
    run_id: str,
    others: Sequence[str] = (),
) -> int:
    """Make these documents, each with its reason, all that is kept of an entity, in one transaction.

    Those that were kept before keep their ``first_seen_at``.

    :param run_id: the run that found them; what its first attempt kept is new to its retry, too.
    :param others: keys of documents that stay as they are where they are kept.
    :return: how many no earlier run had found.
    """
    keys = [clean(key) for key in documents]
    parameters = {
        "account": account,
        "entity": entity,
        "run_id": run_id,
        "keys": keys,
        "documents": [dump(dict(document)) for document, _ in documents.values()],
        "reasons": [clean(reason) for _, reason in documents.values()],
    }
    with connection.transaction():
        standing = {"account": account, "entity": entity, "keys": [*keys, *map(clean, others)]}
        connection.execute(sql.statement("quarantine/release_seller_rows"), standing)
        connection.execute(sql.statement("quarantine/update_seller_rows"), parameters)
        connection.execute(sql.statement("quarantine/insert_seller_rows"), parameters)
        found = connection.execute(sql.statement("quarantine/count_first_left_out"), parameters).fetchone()
    return found[0] if found else 0


def key_of(name: str) -> str:
    """Return the key under which :func:`keep` keeps a document, by which alone it is found again.

    Of a name that is too long that is what tells it from others, after whose part it is: what stands before a slash.
    """
    key = clean(name) or ""
    if len(key) <= _LONGEST_KEY:
        return key
    owner, slash, _ = key[: _LONGEST_OWNER + 1].partition("/")
    return f"{owner + slash if slash else ''}sha256:{sha256(key.encode()).hexdigest()}"
