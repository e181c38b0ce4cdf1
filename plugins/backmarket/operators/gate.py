"""The first task of each concern: goes on only where a person has switched the concern on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.seller_account import DEFAULT_CONNECTION, account_named

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketGateOperator(BaseOperator):
    """Skips the rest of a concern while its toggle or the main switch is off, and says which.

    The reason stands in the task's log and in its XCom ``reason``.

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
        from backmarket.settings import key_of, read_variable

        names = ("enabled", self.toggle)
        off = [key_of(self.account, name) for name in names if not read_variable(self.account, name)]
        if off:
            reason = f"{' and '.join(off)} off: set to true under Admin → Variables to switch this on"
            context["ti"].xcom_push(key="reason", value=reason)
            raise AirflowSkipException(reason)
        return f"{key_of(self.account, self.toggle)} is on"
