"""What operators have in common that send quantities, prices, listings and products."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.configuration import wait_of
from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow.sdk import Context

    from backmarket.api.client import BackMarketClient
    from backmarket.settings import SendingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.sku_line_budget import SkuLineBudget


class BackMarketSendingOperator(BackMarketOperator):
    """Sends SKU lines to Back Market, within the hour's budget."""

    def skip_unless_sending(self, settings: SendingSettings, toggle: str) -> None:
        """Skip the task where its toggle is off, which it may be since the run began, or nothing at all is to be sent.

        :param toggle: without ``backmarket_``.
        """
        from backmarket.settings import key_of

        if not getattr(settings, toggle):
            raise AirflowSkipException(f"{key_of(self.account, toggle)} is off.")
        if settings.dry_run:
            dry_run = key_of(self.account, "dry_run")
            raise AirflowSkipException(f"{dry_run} is on: the plan is recorded, nothing is sent.")

    @contextmanager
    def open_to_send(
        self, *, keep_for_quantities: bool
    ) -> Iterator[tuple[Connection, BackMarketClient, SkuLineBudget]]:
        """Open the database, the client and the hour's budget.

        :param keep_for_quantities: as :func:`~backmarket.warehouse.sku_line_budget.open_sku_line_budget` takes it.
        """
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.sku_line_budget import open_sku_line_budget

        with (
            connect(self.warehouse_conn_id) as connection,
            open_sku_line_budget(
                self.warehouse_conn_id, self.account, keep_for_quantities=keep_for_quantities
            ) as budget,
            self.hook as client,
        ):
            yield connection, client, budget


class BackMarketBatchWaitingOperator(BackMarketOperator):
    """Waits for batches, and then reads their results.

    :param deferrable: whether to wait in the triggerer, which holds no worker slot; else the task itself waits.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    @abstractmethod
    def read_results(self, ended: dict[str, int]) -> dict[str, int]:
        """Go on after a wait in the triggerer.

        :param ended: the counts of what had ended before it.
        """

    def wait_for_batches(self, batch_ids: list[int], look_at: datetime, ended: dict[str, int]) -> None:
        """Wait until none of the batches is running any more, or until a moment.

        Returns after a wait in the task; after one in the triggerer, the task goes on in :meth:`read_results`.

        :param batch_ids: Back Market's tasks; none means to wait for the moment alone.
        :param ended: the counts of what has ended so far.
        """
        if self.deferrable:
            from backmarket.triggers.batch import BackMarketBatchTrigger

            self.defer(
                trigger=BackMarketBatchTrigger(
                    backmarket_conn_id=self.backmarket_conn_id,
                    warehouse_conn_id=self.warehouse_conn_id,
                    account=self.account,
                    batch_ids=batch_ids,
                    look_at=look_at.timestamp(),
                    poll_seconds=wait_of("batch_poll_seconds").total_seconds(),
                    ended=ended,
                ),
                method_name="execute_complete",
            )
        self._sleep(batch_ids, look_at)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Go on after the triggerer's wait; the event says no more than that it is time to read results."""
        if event.get("status") not in {"ended", "due"}:
            raise ValueError(f"The trigger answered {event.get('status')!r}, which is neither ended nor due.")
        return self.read_results(event["ended"])

    def _sleep(self, batch_ids: list[int], look_at: datetime) -> None:
        """Wait as the trigger does, in this task."""
        from backmarket.triggers.batch import have_ended

        with self.hook as client:
            while (left := look_at.timestamp() - time.time()) > 0:
                time.sleep(min(wait_of("batch_poll_seconds").total_seconds(), left))
                if batch_ids and have_ended(client, batch_ids):
                    return
