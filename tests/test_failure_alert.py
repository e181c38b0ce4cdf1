"""What people and the page are told of a task that failed: which failure it is, and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backmarket.api.errors import ServerError
from backmarket.failure_alert import CAUSE, BackMarketFailureAlert, failure_message, failure_subject
from backmarket.settings import MainSettings, VariableError


def _context(error: BaseException, *, task: str = "order_download", run_type: str = "scheduled") -> Any:
    pushed: dict[str, str] = {}
    ti = SimpleNamespace(
        dag_id="backmarket_orders",
        run_id=f"{run_type}__1",
        task_id=task,
        map_index=-1,
        xcom_push=lambda key, value: pushed.update({key: value}),
        pushed=pushed,
    )
    return {"ti": ti, "dag_run": SimpleNamespace(run_type=run_type), "exception": error}


def _wrong_variable() -> VariableError:
    with pytest.raises(VariableError) as raised:
        MainSettings.checked({"enabled": "perhaps"})
    return raised.value


def test_a_backfill_is_named_and_never_stands_for_a_failure_of_today() -> None:
    """Told within the hour of a backfill, people are told of the same failure of a scheduled run all the same."""
    error = ServerError(method="GET", path="/ws/orders", status=500)
    backfill, scheduled = _context(error, run_type="backfill"), _context(error)
    assert failure_subject(backfill) != failure_subject(scheduled)
    assert failure_message(backfill, "default").title == "Back Market: order_download failed in a backfill"
    assert failure_message(scheduled, "default").title == "Back Market: order_download failed"


def test_the_title_names_the_account() -> None:
    """Those of several accounts come by one channel, and a list of letters shows no more than titles."""
    assert failure_message(_context(ValueError()), "us").title == "Back Market (us): order_download failed"


def test_a_variable_that_cannot_be_used_is_one_failure() -> None:
    """Whichever tasks of whichever DAGs it fails."""
    error = _wrong_variable()
    assert failure_subject(_context(error, task="a")) == failure_subject(_context(error, task="b"))
    assert "backmarket_enabled" in failure_subject(_context(error))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (VariableError("backmarket_enabled", "is odd"), "VariableError: Variable backmarket_enabled is odd."),
        (ValueError("jane@example.com"), "ValueError. The task's log says more."),
    ],
)
def test_the_cause_is_kept_although_nobody_is_to_be_told(error: Exception, cause: str) -> None:
    """In the words of this package's own errors alone: others may quote data."""
    context = _context(error)
    BackMarketFailureAlert().notify(context)
    assert context["ti"].pushed[CAUSE].startswith(cause)
    assert "jane" not in context["ti"].pushed[CAUSE]


def test_what_cannot_be_kept_fails_nothing() -> None:
    """Airflow's own API may be what is down."""
    context = _context(ValueError())

    def refuse(**_: str) -> None:
        raise ConnectionError

    context["ti"].xcom_push = refuse
    BackMarketFailureAlert().notify(context)


def test_the_link_of_a_mapped_task_leads_to_the_instance_that_failed() -> None:
    """The task's own page lists all markets, and gives no log."""
    context = _context(ValueError(), task="active_listing_download")
    context["ti"].map_index = 3
    assert failure_message(context, "default").facts["url"].endswith("/tasks/active_listing_download/mapped/3")
