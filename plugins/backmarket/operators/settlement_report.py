"""Writes what statements came to, and what is wrong with them, as one HTML page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketSettlementReportOperator(BackMarketOperator):
    """Stores the run's report in ``backmarket.settlement_reports``: a page that needs no network.

    It is about the run's period, or else about the newest ninety days that statements speak of.
    """

    ui_color = "#fff3cd"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return where the report is: its run_id, and the days it is about."""
        from backmarket.operators.reconciliation import period
        from backmarket.operators.settlement_page import render
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlement_reports import keep, newest_span, read_figures

        run_id = context["dag_run"].run_id
        asked = period(context["params"], context["dag_run"])
        with connect(self.warehouse_conn_id) as connection:
            span = (asked[0], asked[1] - timedelta(days=1)) if asked else newest_span(connection, self.account)
            if span is None:
                raise AirflowSkipException("No statement has been loaded yet: nothing to report.")
            figures = read_figures(connection, self.account, *span)
            html = render(figures)
            keep(connection, self.account, run_id, figures, html)
        self.log.info(
            "Report on %s to %s (%d kB): select html from backmarket.settlement_reports "
            "where account = '%s' and run_id = '%s'",
            *span,
            len(html) // 1024,
            self.account,
            run_id,
        )
        return {"run_id": run_id, "first_day": span[0].isoformat(), "last_day": span[1].isoformat()}
