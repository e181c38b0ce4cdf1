"""The first task of each concern: goes on only where a person has switched the concern on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.environment import where_variable_is
from backmarket.seller_account import DEFAULT_CONNECTION, account_named

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketGateOperator(BaseOperator):
    """Skips the rest of a concern while its toggle or the main switch is off, and says which.

    So it does in a backfill, unless the concern has a past to read: nothing is sent from one. The reason stands in the
    task's log and in its XCom ``reason``. Where several gates of a DAG read a Variable that cannot be understood, the
    first of them fails, and the others skip.

    :param toggle: the concern's Variable without ``backmarket_``, such as ``order_download``.
    :param account: whose Variables these are; None: the connection's.
    :param backmarket_conn_id: the connection of the account.
    :raises VariableError: where one of these two Variables cannot be understood; no other is read.
    """

    template_fields = ("toggle",)

    def __init__(
        self,
        *,
        toggle: str,
        account: str | None = None,
        backmarket_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.toggle = toggle
        self.account = account_named(account, backmarket_conn_id)

    def execute(self, context: Context) -> str:
        """Return what is switched on, or skip."""
        from backmarket.concerns import has_past
        from backmarket.settings import key_of

        off = [key_of(self.account, name) for name in ("enabled", self.toggle) if not self._is_on(name, context)]
        if off:
            places = " and ".join(dict.fromkeys(map(where_variable_is, off)))
            self._skip(context, f"{' and '.join(off)} off: set to true {places} to switch this on")
        key = key_of(self.account, self.toggle)
        if context["dag_run"].run_type == "backfill" and not has_past(self.toggle):
            self._skip(context, f"a backfill is about the past: {key} is about the present, and left to other runs")
        return f"{key} is on"

    def _is_on(self, name: str, context: Context) -> bool:
        from backmarket.settings import VariableError, read_variable

        try:
            return bool(read_variable(self.account, name))
        except VariableError as error:
            first = self._first_that_reads(name)
            if first == self.task_id:
                raise
            self._skip(context, f"Variable {error.key} cannot be used: the log of {first} says why")

    def _first_that_reads(self, name: str) -> str:
        """Return the first gate of this DAG that reads a Variable."""
        dag = self.get_dag()
        gates = (task for task in (dag.tasks if dag else [self]) if isinstance(task, BackMarketGateOperator))
        return next(gate.task_id for gate in gates if name in {"enabled", gate.toggle})

    @staticmethod
    def _skip(context: Context, reason: str) -> NoReturn:
        context["ti"].xcom_push(key="reason", value=reason)
        raise AirflowSkipException(reason)
