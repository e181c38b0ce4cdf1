"""Notes how far long loads are, for the page to show while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from backmarket.warehouse.connection import Connection


def write_progress(
    connection: Connection,
    account: str,
    task: str,
    part: str,
    thing: str,
    done: int,
    total: int | None,
    seconds: float,
    run_id: str,
) -> None:
    """Note how far a task is.

    :param part: what it loads a part of, such as a market; empty where there is one load.
    :param thing: what is counted, in the singular.
    :param total: None where it is not known.
    :param seconds: since it began.
    """
    connection.execute(
        sql.statement("progress/upsert_progress"),
        {
            "account": account,
            "task": task,
            "part": part,
            "thing": thing,
            "done": done,
            "total": total,
            "seconds": seconds,
            "run_id": run_id,
        },
    )


def clear_progress(connection: Connection, account: str, task: str, part: str) -> None:
    """Forget how far a task is: it has ended."""
    connection.execute(sql.statement("progress/delete_progress"), {"account": account, "task": task, "part": part})
