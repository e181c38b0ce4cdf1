"""Operators of ``backmarket_settlements``."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseOperatorLink, conf
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.services.settlements import ENTITY, has_no_reference, period

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from backmarket.hooks.settlement_inbox import InboxFile
    from backmarket.warehouse.connection import Connection


class BackMarketSettlementDownloadOperator(BackMarketOperator):
    """Loads every statement file of the inbox that is new or has changed; files are only ever read.

    Each file is stored in a transaction of its own. One that cannot be understood without guessing goes to
    quarantine with the reason, and the others go on. Running again changes nothing.

    :raises InboxError: where the inbox cannot be listed.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: files seen, loaded and unreadable, rows new, seconds taken; and the files that the storage
        did not give, as ``files_left``."""
        from backmarket.hooks.settlement_inbox import list_inbox
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.files import known_files, release_files

        began = monotonic()
        counts: dict[str, Any] = {"files": 0, "loaded": 0, "new_lines": 0}
        unreadable: list[str] = []
        closed: list[str] = []
        files = list_inbox(read_variable("settlement_inbox"))
        with connect(self.warehouse_conn_id) as connection:
            known = known_files(connection, self.account)
            # A reference in the name comes first: the same content without one is then known already.
            for file in sorted(files, key=has_no_reference):
                counts["files"] += 1
                before = known.get(file.path)
                if before and (before.size, before.modified_at) == (file.size, file.modified_at):
                    continue
                try:
                    new = self._load(connection, file, unreadable)
                except OSError as error:
                    closed.append(file.path)
                    self.log.warning("The storage did not give %s: %s", file.path, type(error).__name__)
                    continue
                counts["loaded"] += new is not None
                counts["new_lines"] += new or 0
            release_files(connection, self.account, [*unreadable, *closed])
        counts |= {"unreadable": len(unreadable), "seconds": round(monotonic() - began, 1)}
        self.log.info(
            "Statement files: %(files)d in the inbox, %(loaded)d new or changed, %(unreadable)d not understood; "
            "%(new_lines)d new rows in %(seconds).1f s.",
            counts,
        )
        return {**counts, "files_left": closed}

    def _load(self, connection: Connection, file: InboxFile, unreadable: list[str]) -> int | None:
        """Load one file; None where it went to quarantine."""
        from backmarket.api.models import Unreadable
        from backmarket.hooks.settlement_inbox import UNPACKING_ERRORS
        from backmarket.rules.settlements.blocks import StatementError
        from backmarket.warehouse import quarantine
        from backmarket.warehouse.settlements.files import StatementFile, load_file

        try:
            with file.content() as (content, sha256):
                statement = StatementFile(file.path, file.name, file.size, file.modified_at, sha256, content)
                new = load_file(connection, self.account, statement)
        except (StatementError, *UNPACKING_ERRORS) as error:
            reason = str(error) if isinstance(error, StatementError) else f"the archive cannot be unpacked: {error}"
            document = {"path": file.path, "size": file.size, "modified_at": file.modified_at.isoformat()}
            quarantine.keep(connection, self.account, ENTITY, {file.path: Unreadable(document, reason, file.path)})
            unreadable.append(file.path)
            self.log.warning("%s is in quarantine, nothing of it is loaded: %s.", file.path, reason)
            return None
        self.log.info("%s: %d new rows.", file.path, new)
        return new


class BackMarketSettlementOrderReadOperator(BackMarketOperator):
    """Asks Back Market by id for unknown orders, a limited number a run, so that none is called missing unread.

    What it does not have is remembered and not asked for again; what it fails on is named and left to the next run,
    and all others are stored. Skips where statements name no unknown order.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: orders new and changed, numbers that Back Market does not have, requests made; and the
        numbers that could not be read, as ``unread``."""
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.reconciliation import unknown_numbers

        budget = read_variable("settlement_order_reads")
        with connect(self.warehouse_conn_id) as connection:
            numbers = unknown_numbers(connection, self.account, budget)
            if not numbers:
                raise AirflowSkipException("Every order that statements name is known or has been asked for.")
            # Only now: most days of a backfill need no client, which takes longer to import than all the rest.
            from backmarket.services.order_reading import read_orders_of_statements

            with self.order_reading(connection) as reading:
                return read_orders_of_statements(reading, numbers)


class BackMarketReconciliationOperator(BackMarketOperator):
    """Recomputes findings: of everything, or, with a period, of its days and those that new rows belong to.

    A backfill's run has one day: the UTC date on which its interval starts. With the params ``from`` and ``to`` (not
    included) a run has those days. Any other run looks at everything, whatever its date. One transaction.

    :raises ValueError: where the period cannot be understood.
    """

    ui_color = "#cce5ff"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: findings changed and closed, open ones by kind, and what the quality check needs."""
        from backmarket.settings import ReconciliationSettings
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.reconciliation import Limits, reconcile

        began = monotonic()
        settings = ReconciliationSettings.load()
        span = period(context["params"], context["dag_run"])
        days = frozenset(span[0] + timedelta(days=n) for n in range((span[1] - span[0]).days)) if span else None
        limits = Limits(settings.settlement_due_days, settings.settlement_tolerance)
        with connect(self.warehouse_conn_id) as connection:
            done = reconcile(connection, self.account, limits, days)
        self.log.info(
            "%d rows tied to orders that arrived later; %d findings new or changed, %d closed in %.1f s.",
            done.tied,
            done.changed,
            done.closed,
            monotonic() - began,
        )
        for kind, count in done.open_by_kind.items():
            self.log.info("Open: %5d %s", count, kind)
        return {
            "account": self.account,
            "tied": done.tied,
            "changed": done.changed,
            "closed": done.closed,
            "open": sum(done.open_by_kind.values()),
            "open_by_kind": done.open_by_kind,
            "orphan_limit_pct": str(settings.settlement_orphan_limit_pct),
            "seconds": round(monotonic() - began, 1),
        }


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
        from backmarket.reports.settlement_page import render
        from backmarket.services.settlements import period
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements.reports import keep, newest_span, read_figures

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
