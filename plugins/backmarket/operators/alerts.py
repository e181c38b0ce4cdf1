"""Operators of ``backmarket_alerts``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.operators.base import BackMarketOperator
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketAttentionAlertOperator(BackMarketOperator):
    """Sends one message about all that is new since the last one; skips while nobody is to be told.

    A thing is known by its kind and its subject, whatever numbers it speaks of, and is told again where it still waits
    after ``backmarket_alert_repeat_hours``.

    :raises AlertChannelError: where the message could not be sent.
    :raises VariableError: for a Variable that cannot be used, once people were told by the defaults of those that only
        say when they are.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many things wait, and how many of them people were told of now."""
        from backmarket.alert_channels import send
        from backmarket.concerns import STEMS
        from backmarket.configuration import page_url
        from backmarket.services.alerts import tell_what_is_new
        from backmarket.settings import VariableError, key_of, read_or_default, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.needs import read_needs
        from backmarket.warehouse.snapshot import reader

        self.skip_unless_enabled("Nobody is told.")
        conn_id = read_variable(self.account, "alert_conn_id")
        if not conn_id:
            raise AirflowSkipException(f"{key_of(self.account, 'alert_conn_id')} names no connection: nobody is told.")
        slips: list[VariableError] = []
        repeat_hours = read_or_default(self.account, "alert_repeat_hours", slips)
        answer_hours = read_or_default(self.account, "care_answer_hours", slips)
        with reader(self.account, self.warehouse_conn_id) as database:
            needs = read_needs(database, STEMS, most=200, answer_hours=answer_hours)
        with connect(self.warehouse_conn_id) as connection:
            told = tell_what_is_new(
                connection,
                self.account,
                needs,
                partial(send, conn_id),
                repeat_hours=repeat_hours,
                url=page_url(self.account),
            )
        waiting = sum(need.total for need in needs)
        waits = counted(waiting, "thing waits", "things wait")
        self.log.info("%s for a person; told of %s now.", waits, f"{told:,}" if told else "none")
        if slips:
            raise slips[0]
        return {"waiting": waiting, "told": told}


class BackMarketDailyDigestOperator(BackMarketOperator):
    """Sends, once a day from the hour of ``backmarket_digest_hour`` on, what the UTC day before brought and what waits.

    :raises AlertChannelError: where the message could not be sent; the next run sends it.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many orders and units the day had, and how many things wait."""
        from backmarket.alert_channels import send
        from backmarket.concerns import STEMS
        from backmarket.configuration import page_url
        from backmarket.rules.digest import digest_day
        from backmarket.services.digest import day_in_figures, tell_of_day
        from backmarket.settings import answer_hours, key_of, read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.needs import read_needs
        from backmarket.warehouse.snapshot import reader

        self.skip_unless_enabled("No digest is sent.", told_by="attention_alert")
        hour, conn_id = read_variable(self.account, "digest_hour"), read_variable(self.account, "alert_conn_id")
        if hour is None or not conn_id:
            at, told_by = key_of(self.account, "digest_hour"), key_of(self.account, "alert_conn_id")
            raise AirflowSkipException(f"{at} is empty, or {told_by} names no connection.")
        day = digest_day(datetime.now(UTC), hour)
        if day is None:
            raise AirflowSkipException(f"The next digest goes at {hour:02}:00 UTC.")
        with reader(self.account, self.warehouse_conn_id) as database:
            figures = day_in_figures(database, day)
            needs = read_needs(database, STEMS, most=1, answer_hours=answer_hours(self.account))
        with connect(self.warehouse_conn_id) as connection:
            told = tell_of_day(connection, self.account, figures, needs, partial(send, conn_id), page_url(self.account))
        if not told:
            raise AirflowSkipException(f"People were told of {day} before.")
        waiting = sum(need.total for need in needs)
        orders, units = counted(figures.orders, "order"), counted(figures.units, "unit")
        self.log.info("People were told of %s: %s, %s.", day, orders, units)
        return {"orders": figures.orders, "units": figures.units, "waiting": waiting}


class BackMarketReportMetricsOperator(BackMarketOperator):
    """Sends how things stand as gauges, through Airflow's own metrics; skips while those are off.

    Counters are sent by the tasks that count. The main switch alone stops it, whether or not people are told by alerts.
    """

    def execute(self, context: Context) -> int:
        """Return how many gauges were sent."""
        from backmarket import metrics
        from backmarket.services.gauges import read_gauges
        from backmarket.settings import answer_hours
        from backmarket.warehouse.sku_line_budget import SKU_LINE_RATES
        from backmarket.warehouse.snapshot import reader

        self.skip_unless_enabled("Nothing is looked at.", told_by="attention_alert")
        if not metrics.are_on():
            raise AirflowSkipException("Airflow sends no metrics: section [metrics] of its configuration is off.")
        with reader(self.account, self.warehouse_conn_id) as database:
            now, hours = datetime.now(UTC), answer_hours(self.account)
            gauges = list(read_gauges(database, now, SKU_LINE_RATES[0], answer_hours=hours))
        for gauge in gauges:
            metrics.send(gauge.name, gauge.value, account=self.account, **gauge.tags)
        return len(gauges)


class BackMarketPurgeHistoryOperator(BackMarketOperator):
    """Deletes what ended before ``backmarket_history_retention_days``, once a day; skips while that Variable is empty.

    Nothing goes that a later decision needs: see :func:`backmarket.services.history.purge_history`. It stands in
    ``backmarket_alerts`` because it belongs to every concern and to none, and because nothing waits there: the first
    purge of a long history may take minutes, and neither that nor its failure may hold up orders. The main switch alone
    stops it.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many rows of each history were deleted."""
        from backmarket.services.history import history_is_due, purge_history
        from backmarket.settings import PriceSettings, RepricingSettings, key_of, neighbour, read_variable
        from backmarket.warehouse.connection import connect

        self.skip_unless_enabled("Nothing is touched.", told_by="attention_alert")
        days = read_variable(self.account, "history_retention_days")
        if days is None:
            retention = key_of(self.account, "history_retention_days")
            raise AirflowSkipException(f"{retention} is empty: all history is kept.")
        prices = neighbour(self.account, PriceSettings)
        repricing = neighbour(self.account, RepricingSettings)
        with connect(self.warehouse_conn_id) as connection:
            if not history_is_due(connection, self.account, datetime.now(UTC)):
                raise AirflowSkipException("Done less than a day ago.")
            counts = purge_history(
                connection,
                self.account,
                days=days,
                price_decision_days=prices.price_decision_days if prices else None,
                moves_kept=repricing.policy.remembers if repricing else None,
            )
        self.log.info("Ended more than %s ago, deleted: %s.", counted(days, "day"), tally(counts))
        return counts
