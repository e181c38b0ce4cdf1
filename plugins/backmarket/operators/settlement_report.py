"""Writes what statements came to, and what is wrong with them, as one HTML page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseOperatorLink, conf
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey


class BackMarketSettlementReportLink(BaseOperatorLink):
    """Leads from the task in Airflow's UI to the report that its run has stored."""

    name = "Settlement report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address on the page Back Market."""
        assert isinstance(operator, BackMarketSettlementReportOperator)  # noqa: S101 - the only one that has this link
        base = conf.get("api", "base_url", fallback="").rstrip("/")
        query = "" if operator.account == "default" else f"?{urlencode({'account': operator.account})}"
        return f"{base}/backmarket/reports/runs/{quote(ti_key.run_id, safe='')}{query}"


class BackMarketSettlementReportOperator(BackMarketOperator):
    """Stores the run's report in ``backmarket.settlement_reports``: a page that needs no network.

    It is about the run's period, or else about the newest ninety days that statements speak of. The task links to it.
    """

    ui_color = "#fff3cd"
    operator_extra_links = (BackMarketSettlementReportLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return where the report is: its run_id, and the days it is about."""
        from backmarket.operators.reconciliation import period
        from backmarket.reports.settlement_page import render
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlement_reports import keep, newest_span, read_figures

        run_id = context["dag_run"].run_id
        asked = period(context["params"], context["dag_run"])
        with connect(self.warehouse_conn_id) as connection:
            span = (asked[0], asked[1] - timedelta(days=1)) if asked else newest_span(connection, self.account)
            if span is None:
                raise AirflowSkipException("No statement has been loaded yet: nothing to report.")
            figures = read_figures(connection, self.account, *span)
            html = render(figures, account=self.account)
            keep(connection, self.account, run_id, figures, html)
        self.log.info(
            "Report on %s to %s stored (%d kB): open it from this task's link, or under Browse → Back Market.",
            *span,
            len(html) // 1024,
        )
        return {"run_id": run_id, "first_day": span[0].isoformat(), "last_day": span[1].isoformat()}
