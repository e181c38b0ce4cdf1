"""What all DAGs of this package have in common, so that each DAG file tells only what is its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, conf

from backmarket.failure_alert import BackMarketFailureAlert
from backmarket.provider_info import SCHEDULES
from backmarket.retry_policy import BackMarketRetryPolicy

START_DATE = datetime(2024, 1, 1, tzinfo=UTC)
TAGS = ["backmarket"]


def default_args() -> dict[str, Any]:
    """Return the arguments of every task: who owns it, how failures are met, and who is told."""
    return {
        "owner": "backmarket",
        "retries": 2,
        "retry_delay": timedelta(seconds=conf.getint("backmarket", "retry_delay_seconds", fallback=30)),
        "retry_policy": BackMarketRetryPolicy(),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": BackMarketFailureAlert(),
    }


def schedule(option: str) -> CronDataIntervalTimetable | None:
    """Return the timetable that ``[backmarket] option`` of the Airflow configuration asks for, in UTC.

    Each run owns the interval between two ticks, which is what a backfill goes by; ``none`` means by hand only.
    """
    cron = conf.get("backmarket", option, fallback=SCHEDULES[option][0]).strip()
    return None if cron.lower() == "none" else CronDataIntervalTimetable(cron, timezone="UTC")


def schedule_or_assets(option: str, assets: Any) -> Any:
    """Return a schedule that fires at ``[backmarket] option``, and besides whenever one of the assets is updated."""
    timetable = schedule(option)
    return assets if timetable is None else AssetOrTimeSchedule(timetable=timetable, assets=assets)
