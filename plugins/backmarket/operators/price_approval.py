"""Operators of ``backmarket_price_approval``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import asset
from backmarket.operators.base import BackMarketOperator
from backmarket.services.price_approval import (
    ALL_OF_THEM,
    NONE_OF_THEM,
    PriceAnswerError,
    options_of,
    record_answer,
    subject_of,
    table_of,
)
from backmarket.words import tally

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketPriceApprovalOperator(BackMarketOperator, HITLOperator):
    """Shows a table of old and new prices under Browse → Required Actions, and waits for the answer.

    Selected moves are approved, the others declined; without an answer in time all expire. "None of them" wins over
    whatever else is selected: a doubt sends nothing. Nothing is sent here: the next run of
    ``backmarket_inventory_prices`` sends what was approved and still is the plan.
    """

    reads = ("backmarket.changes",)
    writes = ("backmarket.price_approvals",)

    template_fields = ("subject", "body", *BackMarketOperator.template_fields)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Large price changes on Back Market: which may go out?",
            options=[ALL_OF_THEM, NONE_OF_THEM],
            multiple=True,
            # Set here too: the parent would take the limit on the task's own work for one on the person.
            response_timeout=timedelta(days=1),
            **kwargs,
        )
        self.outlets = [asset("price_answers", self.account)]

    def execute(self, context: Context) -> Any:
        """Ask, and wait; skip where nothing waits."""
        from backmarket.settings import read_variable
        from backmarket.warehouse import price_approval
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            decided_since = datetime.now(UTC) - timedelta(days=read_variable(self.account, "price_decision_days"))
            moves = price_approval.ask(connection, self.account, run_id=context["run_id"], decided_since=decided_since)
        if not moves:
            raise AirflowSkipException("No large price change waits for approval.")
        self.options = options_of(moves)
        self.subject = subject_of(self.account, moves)
        self.body = table_of(moves)
        self.response_timeout = timedelta(hours=read_variable(self.account, "price_approval_hours"))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Record the answer, or that none came in time; return how many moves were approved, refused, expired."""
        from backmarket.warehouse import price_approval
        from backmarket.warehouse.connection import connect

        is_expired = event.get("error_type") == "timeout"
        if "error" in event and not is_expired:
            self.process_trigger_event_error(event)
        chosen = None if is_expired else set(event["chosen_options"])
        user = None if is_expired else (event.get("responded_by_user") or {}).get("name")
        with connect(self.warehouse_conn_id) as connection:
            # Some may have been decided on the page while the form was open: they stay as they were decided.
            self.options = options_of(price_approval.all_asked(connection, self.account, run_id=context["run_id"]))
            self.validate_chosen_options(list(chosen or ()))
            moves = price_approval.asked(connection, self.account, run_id=context["run_id"])
            counts = record_answer(connection, self.account, moves, chosen, run_id=context["run_id"], decided_by=user)
        self.log.info("Large price changes: %s.", tally(counts))
        return counts

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Refuse an answer that names a move which was not in the question.

        :raises PriceAnswerError: then.
        """
        if others := sorted(set(chosen_options) - set(self.options)):
            raise PriceAnswerError(
                f"The answer names what was not asked: {', '.join(others)}. Nothing was decided. The question is put "
                "again: answer it under Browse → Required Actions."
            )

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Say in words that Airflow could not hand an answer over.

        :raises PriceAnswerError: always.
        """
        raise PriceAnswerError(
            f"Airflow could not hand the answer over: {event['error']}. Nothing was decided. The question is put "
            "again: answer it under Browse → Required Actions."
        )
