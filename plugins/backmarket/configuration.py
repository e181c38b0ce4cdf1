"""What Airflow's configuration says: when DAGs run, how long runs wait for what, and where its UI is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, conf

from backmarket.provider_info import WAITS
from backmarket.rules.schedules import spread
from backmarket.seller_account import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from airflow.sdk.definitions.asset import BaseAsset

    from backmarket.concerns import Concern


def schedule_of(concern: Concern, account: str, assets: BaseAsset | None = None) -> Any:
    """Return when the DAG of an account runs: as section ``[backmarket]`` of Airflow's configuration says, in UTC.

    Each run owns the interval between two ticks, which is what a backfill goes by. Accounts besides the default one run
    as often, each a while later, so that they do not all start at once. ``none`` means by hand, or by assets, only.

    :param assets: whose updates start it besides.
    """
    cron = "none"
    if concern.cron:
        cron = conf.get("backmarket", concern.schedule_option, fallback=concern.cron).strip()
    if cron.lower() == "none":
        return assets
    timetable = CronDataIntervalTimetable(cron if account == DEFAULT_ACCOUNT else spread(cron, account), timezone="UTC")
    return timetable if assets is None else AssetOrTimeSchedule(timetable=timetable, assets=assets)


def wait_of(option: str) -> timedelta:
    """Return a wait as configured; its default holds also where this package is not installed as a provider.

    :param option: one of ``provider_info.WAITS``, such as ``batch_poll_seconds``.
    """
    return timedelta(seconds=conf.getfloat("backmarket", option, fallback=float(WAITS[option][0])))


def ui_url(path: str) -> str:
    """Return the address of a path in Airflow's UI; the path alone where Airflow does not know its address."""
    return conf.get("api", "base_url", fallback="").rstrip("/") + path


def page_url(account: str) -> str:
    """Return the address of the page "Back Market" about an account."""
    is_default = account == DEFAULT_ACCOUNT
    return ui_url("/plugin/backmarket" if is_default else f"/backmarket/?{urlencode({'account': account})}")


def order_url(account: str, order_id: int) -> str:
    """Return the address of an order's story on that page."""
    query = "" if account == DEFAULT_ACCOUNT else f"?{urlencode({'account': account})}"
    return ui_url(f"/backmarket/orders/{order_id}{query}")
