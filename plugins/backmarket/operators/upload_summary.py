"""Ends the inventory and prices DAG: shows the arithmetic, asks for approvals, and says what was held back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from backmarket.assets import PRICE_QUESTIONS
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

MOST_ROWS = 50
_HEADER = ("SKU", "stock", "reserved", "held", "safety", "max", "shown", "to show", "remark")


class MassZeroError(AirflowFailException):
    """The stock feed would take too many listings offline at once; they were left as they are."""


class BackMarketUploadSummaryOperator(BackMarketOperator):
    """Logs how quantities came about, and fails, visibly, where the zero guard holds some.

    :raises MassZeroError: saying how many, and how to let them go.
    """

    ui_color = "#e6e6fa"

    def execute(self, context: Context) -> int:
        """Return how many SKUs are worth a look."""
        from backmarket.warehouse import sql
        from backmarket.warehouse.connection import connect

        with connect(self.warehouse_conn_id) as connection:
            parameters = {"account": self.account, "most": MOST_ROWS}
            rows = connection.execute(sql.statement("inventory/select_summary"), parameters).fetchall()
            held = connection.execute(sql.statement("inventory/count_held_by_guard"), parameters).fetchone()
        for row in [_HEADER, *rows]:
            cells = ["" if cell is None else str(cell) for cell in row]
            self.log.info("%-24s %8s %8s %6s %6s %6s %6s %8s  %s", *cells)
        if held and held[0]:
            raise MassZeroError(
                f"The stock feed would zero {held[0]} live SKUs at once, more than backmarket_zero_guard_pct allows, "
                "and no orders explain it. They are left as they are; everything else was sent. If the feed is right, "
                "trigger this DAG with allow_mass_zero; if not, repair seller.stock: the next run sees it."
            )
        return len(rows)


class BackMarketPriceQuestionOperator(BackMarketOperator):
    """Updates the asset ``backmarket/price_questions`` where large moves wait that nobody was asked about."""

    ui_color = "#fff3cd"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[PRICE_QUESTIONS], **kwargs)

    def execute(self, context: Context) -> int:
        """Return how many moves wait, or skip."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.price_approvals import unasked

        # An open question ends by itself after that many hours; one that is older was deleted with its run.
        patience = timedelta(hours=read_variable("price_approval_hours") + 1)
        with connect(self.warehouse_conn_id) as connection:
            now = datetime.now(UTC)
            decided_since = now - timedelta(days=read_variable("price_decision_days"))
            moves = unasked(connection, self.account, decided_since=decided_since, asked_before=now - patience)
        if not moves:
            raise AirflowSkipException("No large price change waits to be shown to a person.")
        return len(moves)
