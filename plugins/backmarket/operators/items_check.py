"""Ends a concern: fails, visibly and once, where single items of the run could not be dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from backmarket.dag_defaults import tries_of_a_check
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketItemsCheckOperator(BackMarketOperator):
    """Fails where the tasks before it name items that they had to leave, and says what to do about each kind.

    It fails, too, at each run while a table of the seller cannot be used as a whole. Where it should speak although one
    of those tasks failed, give it the trigger rule ``all_done``, and let that failure reach another last task.

    :param counts: what the tasks returned; None for one that was skipped or failed.
    :param documents: what was read, for the message.
    :raises FeedUnusableError: saying which table, how many of its rows, the first reasons, and what to do.
    :raises ItemsLeftError: saying how many of what, the first by name, and where to look.
    """

    template_fields = (*BackMarketOperator.template_fields, "counts")

    def __init__(self, *, counts: Any, documents: str = "orders", **kwargs: Any) -> None:
        super().__init__(**kwargs, **tries_of_a_check())
        self.counts = counts
        self.documents = documents

    def execute(self, context: Context) -> None:
        """Pass where every item was dealt with; skip where no task looked at any."""
        from backmarket.services.item_failures import fail_where_items_are_left
        from backmarket.warehouse import feeds
        from backmarket.warehouse.connection import connect

        done = [task for task in self.counts or () if task]
        if not done:
            raise AirflowSkipException("Nothing was done in this run.")
        unusable = []
        if tables := {table for task in done for table in task.get("unusable_feeds", ())}:
            with connect(self.warehouse_conn_id) as connection:
                unusable = feeds.unusable(connection, self.account, tables)
        fail_where_items_are_left(done, self.documents, unusable)
