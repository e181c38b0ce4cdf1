"""How long runs wait for what: section ``[backmarket]`` of Airflow's configuration."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import conf

from backmarket.provider_info import WAITS


def wait_of(option: str) -> timedelta:
    """Return a wait as configured; its default holds also where this package is not installed as a provider.

    :param option: one of ``provider_info.WAITS``, such as ``batch_poll_seconds``.
    """
    return timedelta(seconds=conf.getfloat("backmarket", option, fallback=float(WAITS[option][0])))
