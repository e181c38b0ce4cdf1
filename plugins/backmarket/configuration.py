"""What Airflow's configuration says: when DAGs run, how long runs wait for what, and where its UI is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, conf

from backmarket.provider_info import SCHEDULES, WAITS


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


def wait_of(option: str) -> timedelta:
    """Return a wait as configured; its default holds also where this package is not installed as a provider.

    :param option: one of ``provider_info.WAITS``, such as ``batch_poll_seconds``.
    """
    return timedelta(seconds=conf.getfloat("backmarket", option, fallback=float(WAITS[option][0])))


def ui_url(path: str) -> str:
    """Return the address of a path in Airflow's UI; the path alone where Airflow does not know its address."""
    return conf.get("api", "base_url", fallback="").rstrip("/") + path


def page_url() -> str:
    """Return the address of the page "Back Market"."""
    return ui_url("/plugin/backmarket")
