"""Operator of ``backmarket_accounts_file``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class BackMarketAccountsFileCheckOperator(BaseOperator):
    """Fails, and says which accounts of ``accounts.yml`` are not run and why.

    :param problems: a sentence each.
    :param runs_others: whether any account is run.
    :raises AccountsFileError: always: there is such a task only where something is wrong.
    """

    def __init__(self, *, problems: Sequence[str], runs_others: bool, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "retries": 0})
        self.problems = problems
        self.runs_others = runs_others

    def execute(self, context: Context) -> None:
        """Tell of the problems."""
        from backmarket.accounts_file import AccountsFileError

        raise AccountsFileError(self.problems, runs_others=self.runs_others)
