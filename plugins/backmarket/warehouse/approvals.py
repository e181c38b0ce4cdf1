"""Stores what a person was asked about, and what was decided: the same for all changes that wait for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from backmarket.rules.approvals import Decision
    from backmarket.warehouse.connection import Connection

MOST_A_QUESTION = 50
"""A form takes so many choices."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Question(Protocol):
    """A change that a person is asked about: a named tuple of the columns that its statements select."""

    @property
    def option(self) -> str:
        """The change as a choice in the form."""

    def _asdict(self) -> dict[str, Any]: ...


Q = TypeVar("Q", bound=Question)


@dataclass(frozen=True)
class ApprovalDesk(Generic[Q]):
    """Where the questions about one kind of change lie.

    :param statements: the concern whose SQL reads and writes them.
    :param question: a question, made of what the statements select.
    """

    statements: str
    question: type[Q]

    def unasked(
        self, connection: Connection, account: str, *, decided_since: datetime, asked_before: datetime = _LONG_AGO
    ) -> list[Q]:
        """Return the changes that wait and that nobody was asked about, at most as many as one form takes.

        :param decided_since: a decision made before this no longer holds: the question is asked again.
        :param asked_before: a question asked before this and still not answered counts as never asked: its run is gone.
        """
        moments = {"asked_before": asked_before, "decided_since": decided_since}
        return self._select("select_unasked", connection, account, most=MOST_A_QUESTION, **moments)

    def ask(self, connection: Connection, account: str, *, run_id: str, decided_since: datetime) -> list[Q]:
        """Make the waiting changes the question of a run, and return all that it asks; an earlier try may have asked
        some.

        :param decided_since: see :meth:`unasked`.
        """
        of_run = {"account": account, "run_id": run_id}
        with connection.transaction():
            connection.execute(self._statement("forget_unanswered"), of_run)
            for each in self.unasked(connection, account, decided_since=decided_since):
                connection.execute(self._statement("insert_question"), {**of_run, **each._asdict()})
            return self.asked(connection, account, run_id=run_id)

    def asked(self, connection: Connection, account: str, *, run_id: str) -> list[Q]:
        """Return what a run asked about and has no answer to."""
        return self._select("select_asked", connection, account, run_id=run_id)

    def all_asked(self, connection: Connection, account: str, *, run_id: str) -> list[Q]:
        """Return what a run asked about, also what was decided elsewhere meanwhile."""
        return self._select("select_all_asked", connection, account, run_id=run_id)

    def decide(
        self,
        connection: Connection,
        account: str,
        question: Q,
        decision: Decision,
        *,
        run_id: str,
        decided_by: str | None,
    ) -> None:
        """Record a decision; it holds for exactly this change."""
        parameters = {"account": account, "run_id": run_id, "status": decision, "decided_by": decided_by}
        connection.execute(self._statement("decide"), {**question._asdict(), **parameters})

    def _select(self, name: str, connection: Connection, account: str, **parameters: Any) -> list[Q]:
        rows = connection.execute(self._statement(name), {"account": account, **parameters})
        return [self.question(*row) for row in rows]

    def _statement(self, name: str) -> Any:
        return sql.statement(f"{self.statements}/{name}")
