"""Decides, from the error itself, whether Airflow should run a task again, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from backmarket.words import about

if TYPE_CHECKING:
    from airflow.sdk import Context


LONGEST_WAIT = timedelta(minutes=10)
"""A run does not wait longer: it would keep all later ones from what has nothing to do with it."""


class BackMarketRetryPolicy(RetryPolicy):
    """Runs a task again where waiting can help, and fails it at once where only a person can."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Answer Airflow, which asks after each failure; the number of tries stays the task's own ``retries``."""
        from backmarket.api import errors
        from backmarket.hooks.backmarket import ConnectionFormError
        from backmarket.rules.order_window import HistoryReadTooOftenError
        from backmarket.services.creation_batches import ListingsNotCreatedError
        from backmarket.services.item_failures import ItemsLeftError
        from backmarket.services.quantities import MassZeroError
        from backmarket.services.seller_files import FilesLeftError
        from backmarket.services.settlement_check import SettlementsOffError
        from backmarket.services.settlements import PeriodError
        from backmarket.settings import VariableError
        from backmarket.warehouse.accounts import AccountMixUpError
        from backmarket.warehouse.feeds import FeedUnusableError
        from backmarket.warehouse.migrations import NewerSchemaError
        from backmarket.warehouse.pooler import PoolerModeError

        needs_a_person = (
            errors.AuthenticationError,
            errors.FirewallError,
            errors.ForbiddenError,
            errors.RefusedError,
            errors.RedirectRefusedError,
            ConnectionFormError,
            VariableError,
            HistoryReadTooOftenError,
            AccountMixUpError,
            FeedUnusableError,
            FilesLeftError,
            ItemsLeftError,
            ListingsNotCreatedError,
            MassZeroError,
            NewerSchemaError,
            PeriodError,
            PoolerModeError,
            SettlementsOffError,
        )
        if isinstance(exception, needs_a_person):
            return RetryDecision.fail(f"{type(exception).__name__}: waiting does not help, a person has to act")
        if isinstance(exception, errors.ThrottledError):
            wait = exception.retry_after or timedelta(seconds=10)
            if wait > LONGEST_WAIT:
                return RetryDecision.fail(f"A limit is used up for {about(wait.total_seconds())}: a later run goes on")
            return RetryDecision.retry(wait, "Back Market asked to wait")
        return RetryDecision.default()
