"""What operators have in common that find out whether a person has to be asked."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.assets import asset
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.warehouse.approvals import ApprovalDesk


class BackMarketQuestionOperator(BackMarketOperator):
    """Updates an asset, which starts the approval, where changes wait that nobody was asked about."""

    things: ClassVar[str]
    questions: ClassVar[str]
    """The asset that tells of questions."""
    decision_days: ClassVar[str]
    approval_hours: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outlets = [asset(self.questions, self.account)]

    @property
    @abstractmethod
    def desk(self) -> ApprovalDesk[Any]:
        """Where the questions lie."""

    def execute(self, context: Context) -> int:
        """Return how many changes wait, or skip."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect

        # An open question ends by itself after that many hours; one that is older was deleted with its run.
        patience = timedelta(hours=read_variable(self.account, self.approval_hours) + 1)
        with connect(self.warehouse_conn_id) as connection:
            now = datetime.now(UTC)
            decided_since = now - timedelta(days=read_variable(self.account, self.decision_days))
            waiting = self.desk.unasked(
                connection, self.account, decided_since=decided_since, asked_before=now - patience
            )
        if not waiting:
            raise AirflowSkipException(f"There are no {self.things} that wait to be shown to a person.")
        return len(waiting)
