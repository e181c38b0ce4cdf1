"""What every Back Market operator has: the two connections it works between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

if TYPE_CHECKING:
    from backmarket.hooks.backmarket import BackMarketHook


class BackMarketOperator(BaseOperator):
    """Works between one seller account and the operational database.

    :param backmarket_conn_id: the seller account.
    :param warehouse_conn_id: the operational database.
    """

    template_fields: tuple[str, ...] = ("backmarket_conn_id", "warehouse_conn_id")

    def __init__(
        self,
        *,
        backmarket_conn_id: str = "backmarket_default",
        warehouse_conn_id: str = "backmarket_warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backmarket_conn_id = backmarket_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @property
    def account(self) -> str:
        """The account's name, which leads every primary key."""
        from backmarket.warehouse.accounts import account_of

        return account_of(self.backmarket_conn_id)

    @property
    def hook(self) -> BackMarketHook:
        """A new hook for the seller account; ``with`` it for a client."""
        from backmarket.hooks.backmarket import BackMarketHook

        return BackMarketHook(self.backmarket_conn_id, self.warehouse_conn_id)
