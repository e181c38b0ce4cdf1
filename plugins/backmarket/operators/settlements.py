"""Operators of ``backmarket_settlements``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseOperatorLink
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.configuration import ui_url
from backmarket.dag_defaults import tries_of_a_check
from backmarket.lineage import ORDER_TABLES
from backmarket.operators.base import BackMarketAnnouncementOperator, BackMarketOperator
from backmarket.seller_account import DEFAULT_ACCOUNT
from backmarket.words import counted

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey


class BackMarketSettlementDownloadOperator(BackMarketOperator):
    """Loads every statement file of the inbox that is new or has changed; files are only ever read.

    Each file is stored in a transaction of its own. One that cannot be understood without guessing goes to
    quarantine with the reason, and the others go on. Running again changes nothing. Skips where no inbox is given and
    the default folder is not on this worker.

    :raises InboxError: where the inbox cannot be listed.
    """

    reads = ("inbox/settlements", "backmarket.orders", "backmarket.order_lines")
    writes = ("backmarket.settlement_statements", "backmarket.settlement_lines")

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: files seen, loaded and unreadable, rows new, seconds taken; and the files that the storage
        did not give, as ``files_left``.
        """
        from backmarket.hooks.inbox import NoInboxError, list_inbox
        from backmarket.services.settlements import StatementLoading
        from backmarket.settings import key_of, read_variable
        from backmarket.warehouse.connection import connect

        began, now = monotonic(), datetime.now(UTC)
        try:
            inbox, variable = read_variable(self.account, "settlement_inbox"), key_of(self.account, "settlement_inbox")
            files = list_inbox(inbox, variable=variable)
        except NoInboxError as error:
            raise AirflowSkipException(str(error)) from error
        with connect(self.warehouse_conn_id) as connection:
            loading = StatementLoading(
                connection, self.account, self.log, progress_of=partial(self.progress, context, "row"), now=now
            )
            counts = loading.load(files)
        seconds = round(monotonic() - began, 1)
        self.log.info(
            "%s in the inbox: %s new or changed, %s not understood; %s in %s.",
            counted(counts["files"], "statement file"),
            f"{counts['loaded']:,}",
            f"{counts['unreadable']:,}",
            counted(counts["new_lines"], "new row"),
            f"{seconds:,} seconds",
        )
        return {**counts, "seconds": seconds, "files_left": loading.files_left}


class BackMarketSettlementOrderReadOperator(BackMarketOperator):
    """Asks Back Market by id for unknown orders, a limited number a run, so that none is called missing unread.

    What it does not have is remembered and not asked for again; what it fails on is named and left to the next run,
    and all others are stored. Skips where statements name no unknown order.
    """

    reads = ("backmarket.settlement_lines", "backmarket.orders", "backmarket.order_lines", "ws/orders")
    writes = ORDER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new and changed, numbers that Back Market does not have, requests made; and the
        numbers that could not be read, as ``unread``."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.reconciliation import unknown_numbers

        budget = read_variable(self.account, "settlement_order_reads")
        with connect(self.warehouse_conn_id) as connection:
            numbers = unknown_numbers(connection, self.account, budget)
            if not numbers:
                raise AirflowSkipException("Every order that statements name is known or has been asked for.")
            # Only now: most days of a backfill need no client, which takes longer to import than all the rest.
            from backmarket.services.order_reading import read_orders_of_statements

            with self.order_reading(connection) as reading:
                return read_orders_of_statements(reading, numbers)


class BackMarketReconciliationOperator(BackMarketOperator):
    """Brings findings up to date with what has changed, and looks again at the days of a period, where there is one.

    A backfill's run has one day: the UTC date on which its interval starts. With the params ``from`` and ``to`` (not
    included) a run has those days. Any other run has none, whatever its date; it looks at everything the first time,
    and where limits, rules or the schema are others than the last time. One transaction.

    :raises PeriodError: where the period cannot be understood.
    """

    reads = (
        "backmarket.settlement_statements",
        "backmarket.settlement_lines",
        "backmarket.settlement_expectations",
        "backmarket.settlement_expected_lines",
        "backmarket.refunds_sent",
        "backmarket.returns",
        "backmarket.care_folders",
        "backmarket.orders",
        "backmarket.order_lines",
    )
    writes = (
        "backmarket.settlement_findings",
        "backmarket.settlement_finding_history",
        "backmarket.settlement_lines",
        "backmarket.settlement_day_sums",
        "backmarket.fee_shares",
    )

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: findings changed and closed, and open ones by kind."""
        from backmarket.services.settlements import compare_with_orders, period_of
        from backmarket.settings import ReconciliationSettings
        from backmarket.warehouse.connection import connect

        began = monotonic()
        settings = ReconciliationSettings.load(self.account)
        period = period_of(context["params"], context["dag_run"])
        with connect(self.warehouse_conn_id) as connection:
            counts = compare_with_orders(connection, self.account, settings, period, self.log)
        return {**counts, "seconds": round(monotonic() - began, 1)}


class BackMarketSettlementAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/settlements``, with the run's counts, where rows are new or findings changed."""

    thing = "settlements"
    one = "row or finding"
    things = "rows or findings"
    summed = ("new_lines", "changed", "closed", "open")
    changing = ("new_lines", "changed", "closed")


class BackMarketSettlementCheckOperator(BackMarketOperator):
    """Fails where a file cannot be read, a statement does not add up, or too many rows belong to no order.

    What it finds is not looked for again: only a person can change it.

    :raises SettlementsOffError: saying which file or statement, why, and what to do.
    """

    reads = (
        "backmarket.settlement_statements",
        "backmarket.settlement_lines",
        "backmarket.quarantine",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, **tries_of_a_check())

    def execute(self, context: Context) -> None:
        """Look at the account's statements that have changed or did not add up, whatever the run's period."""
        from backmarket.services.settlement_check import fail_where_settlements_are_off
        from backmarket.settings import key_of, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.quality import read_quality

        limit = "settlement_orphan_limit_pct"
        with connect(self.warehouse_conn_id) as connection:
            quality = read_quality(connection, self.account)
        fail_where_settlements_are_off(
            quality, orphan_limit_pct=read_variable(self.account, limit), variable=key_of(self.account, limit)
        )


class BackMarketSettlementReportLink(BaseOperatorLink):
    """Leads from the task in Airflow's UI to the settlement report that its run has stored."""

    name = "Settlement report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address on the page Back Market."""
        assert isinstance(operator, BackMarketSettlementReportOperator)  # noqa: S101 - the only one that has this link
        query = "" if operator.account == DEFAULT_ACCOUNT else f"?{urlencode({'account': operator.account})}"
        return ui_url(f"/backmarket/reports/runs/{quote(ti_key.run_id, safe='')}{query}")


class BackMarketSettlementReportOperator(BackMarketOperator):
    """Stores the run's settlement report in ``backmarket.settlement_reports``: a page that needs no network.

    It is about the run's period, or else about the newest ninety days that statements speak of. The task links to it.
    """

    reads = (
        "backmarket.settlement_statements",
        "backmarket.settlement_day_sums",
        "backmarket.settlement_order_totals",
        "backmarket.settlement_open_findings",
    )
    writes = ("backmarket.settlement_reports",)

    operator_extra_links = (BackMarketSettlementReportLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return where the settlement report is: its run_id, and the days it is about."""
        from backmarket.configuration import order_url
        from backmarket.services.settlements import period_of, report_settlements
        from backmarket.warehouse.connection import connect

        run_id = context["dag_run"].run_id
        period = period_of(context["params"], context["dag_run"])
        with connect(self.warehouse_conn_id) as connection:
            reported = report_settlements(connection, self.account, run_id, period, partial(order_url, self.account))
        if reported is None:
            raise AirflowSkipException("No statement has been loaded yet: nothing to report.")
        self.log.info(
            "Settlement report on %s to %s stored: open it from this task's link, or under Browse → Back Market.",
            *reported,
        )
        return {"run_id": run_id, "first_day": reported[0].isoformat(), "last_day": reported[1].isoformat()}
