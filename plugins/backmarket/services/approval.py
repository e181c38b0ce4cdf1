"""Words a question about changes that wait for a person, and records the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backmarket.rules.approvals import Decision
    from backmarket.warehouse.approvals import ApprovalDesk, Question
    from backmarket.warehouse.connection import Connection

ALL_OF_THEM = "All of them"
NONE_OF_THEM = "None of them"

Q = TypeVar("Q", bound="Question")

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")


class ApprovalAnswerError(Exception):
    """An answer to a question cannot be used: nothing was decided."""


def options_of(questions: Sequence[Question]) -> list[str]:
    """Return the choices of the form."""
    return [*(each.option for each in questions), ALL_OF_THEM, NONE_OF_THEM]


def table_of(what: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a form's text, in Markdown: what to do, and a table of what is asked about.

    :param what: what may go out, such as ``moves``.
    :param header: the columns; one that ends with a colon holds numbers.
    :param rows: cells, already fit for Markdown: see :func:`plain`.
    """
    what_to_do = (
        f"Select the {what} that may go out, or `{ALL_OF_THEM}`, or `{NONE_OF_THEM}`. What is not selected is declined."
    )
    names = [name.removesuffix(":") for name in header]
    rule = "|".join("---:" if name.endswith(":") else "---" for name in header)
    table = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([what_to_do, "", f"| {' | '.join(names)} |", f"|{rule}|", *table])


def record_answer(
    connection: Connection,
    account: str,
    desk: ApprovalDesk[Q],
    questions: Sequence[Q],
    chosen: set[str] | None,
    *,
    run_id: str,
    decided_by: str | None,
) -> dict[str, int]:
    """Record the decision about each change, in one transaction.

    "None of them" wins over whatever else is selected: a doubt sends nothing.

    :param chosen: the options that a person selected; None where nobody answered in time.
    :return: how many changes were approved, refused and expired.
    """
    counts = {"approved": 0, "refused": 0, "expired": 0}
    with connection.transaction():
        for each in questions:
            decision = _decision(each, chosen)
            desk.decide(connection, account, each, decision, run_id=run_id, decided_by=decided_by)
            counts[decision] += 1
    return counts


def plain(text: str) -> str:
    """Escape the characters of a text that Markdown would take for its own."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _decision(question: Question, chosen: set[str] | None) -> Decision:
    if chosen is None:
        return "expired"
    is_selected = NONE_OF_THEM not in chosen and (ALL_OF_THEM in chosen or question.option in chosen)
    return "approved" if is_selected else "refused"
