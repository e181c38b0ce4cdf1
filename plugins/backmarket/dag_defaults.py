"""What all DAGs of this package have in common, so that each DAG file tells only what is its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow import sdk
from airflow.sdk import conf

from backmarket.failure_alert import BackMarketFailureAlert

START_DATE = datetime(2024, 1, 1, tzinfo=UTC)
TAGS = ["backmarket"]


def default_args() -> dict[str, Any]:
    """Return the arguments of every task: who owns it, how failures are met, and who is told."""
    return {
        "owner": "backmarket",
        "retries": 2,
        "retry_delay": timedelta(seconds=conf.getint("backmarket", "retry_delay_seconds", fallback=30)),
        **_retry_policy(),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": BackMarketFailureAlert(),
    }


def _retry_policy() -> dict[str, Any]:
    """Return the policy that judges a failure by its error; nothing on Airflow 3.2, which tries all errors alike."""
    if not hasattr(sdk, "RetryPolicy"):
        return {}
    from backmarket.retry_policy import BackMarketRetryPolicy

    return {"retry_policy": BackMarketRetryPolicy()}
