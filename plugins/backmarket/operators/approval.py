"""What operators have in common that ask a person which changes may go out."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import asset
from backmarket.operators.base import BackMarketOperator
from backmarket.services.approval import ALL_OF_THEM, NONE_OF_THEM, ApprovalAnswerError, options_of, record_answer
from backmarket.words import tally

if TYPE_CHECKING:
    from types import ModuleType

    from airflow.sdk import Context

    from backmarket.warehouse.approvals import ApprovalDesk


class BackMarketApprovalOperator(BackMarketOperator, HITLOperator):
    """Shows a table of changes under Browse → Required Actions, and waits for the answer.

    Selected changes are approved, the others declined; without an answer in time all expire. "None of them" wins over
    whatever else is selected: a doubt sends nothing. Nothing is sent here: the next run of the concern sends what was
    approved and still is the plan.

    :raises ApprovalAnswerError: where an answer cannot be used; nothing was decided then.
    """

    things: ClassVar[str]
    """What is asked about, in the plural."""
    answers: ClassVar[str]
    """The asset that tells of answers."""
    decision_days: ClassVar[str]
    """The Variable, without ``backmarket_``, that says how many days a decision holds."""
    approval_hours: ClassVar[str]
    """The Variable, without ``backmarket_``, that says how many hours a person may take."""

    template_fields = ("subject", "body", *BackMarketOperator.template_fields)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject=f"{self.things[0].upper()}{self.things[1:]} on Back Market: which may go out?",
            options=[ALL_OF_THEM, NONE_OF_THEM],
            multiple=True,
            # Set here too: the parent would take the limit on the task's own work for one on the person.
            response_timeout=timedelta(days=1),
            **kwargs,
        )
        self.outlets = [asset(self.answers, self.account)]

    @property
    @abstractmethod
    def desk(self) -> ApprovalDesk[Any]:
        """Where the questions lie."""

    @property
    @abstractmethod
    def words(self) -> ModuleType:
        """What words the question: it has ``subject_of`` and ``table_of``."""

    def execute(self, context: Context) -> Any:
        """Ask, and wait; skip where nothing waits."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            decided_since = datetime.now(UTC) - timedelta(days=read_variable(self.account, self.decision_days))
            waiting = self.desk.ask(connection, self.account, run_id=context["run_id"], decided_since=decided_since)
        if not waiting:
            raise AirflowSkipException(f"There are no {self.things} that wait for approval.")
        self.options = options_of(waiting)
        self.subject = self.words.subject_of(self.account, waiting)
        self.body = self.words.table_of(waiting)
        self.response_timeout = timedelta(hours=read_variable(self.account, self.approval_hours))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Record the answer, or that none came in time; return how many changes were approved, refused, expired."""
        from backmarket.warehouse.connection import connect

        is_expired = event.get("error_type") == "timeout"
        if "error" in event and not is_expired:
            self.process_trigger_event_error(event)
        chosen = None if is_expired else set(event["chosen_options"])
        user = None if is_expired else (event.get("responded_by_user") or {}).get("name")
        run_id, desk = context["run_id"], self.desk
        with connect(self.warehouse_conn_id) as connection:
            # Some may have been decided on the page while the form was open: they stay as they were decided.
            self.options = options_of(desk.all_asked(connection, self.account, run_id=run_id))
            self.validate_chosen_options(list(chosen or ()))
            asked = desk.asked(connection, self.account, run_id=run_id)
            counts = record_answer(connection, self.account, desk, asked, chosen, run_id=run_id, decided_by=user)
        self.log.info("%s: %s.", self.things[0].upper() + self.things[1:], tally(counts))
        return counts

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Refuse an answer that names a change which was not in the question.

        :raises ApprovalAnswerError: then.
        """
        if others := sorted(set(chosen_options) - set(self.options)):
            raise ApprovalAnswerError(
                f"The answer names what was not asked: {', '.join(others)}. Nothing was decided. The question is put "
                "again: answer it under Browse → Required Actions."
            )

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Say in words that Airflow could not hand an answer over.

        :raises ApprovalAnswerError: always.
        """
        raise ApprovalAnswerError(
            f"Airflow could not hand the answer over: {event['error']}. Nothing was decided. The question is put "
            "again: answer it under Browse → Required Actions."
        )
