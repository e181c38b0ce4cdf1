"""Waits for Back Market to finish batches, without holding a worker slot."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from backmarket.operators.base import BackMarketOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context


class BackMarketBatchWaitingOperator(BackMarketOperator):
    """Waits for batches, and then looks again.

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
    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Go on after a wait in the triggerer.

        :param ended: the counts of what had ended before it.
        """

    def wait_for_batches(self, batch_ids: list[int], look_at: datetime, ended: dict[str, int]) -> None:
        """Wait until none of the batches is running any more, or until a moment.

        Returns after a wait in the task; after one in the triggerer, the task goes on in :meth:`look_again`.

        :param batch_ids: Back Market's tasks; none means to wait for the moment alone.
        :param ended: the counts of what has ended so far.
        """
        if self.deferrable:
            from backmarket.triggers.batch import BackMarketBatchTrigger

            self.defer(
                trigger=BackMarketBatchTrigger(
                    backmarket_conn_id=self.backmarket_conn_id,
                    batch_ids=batch_ids,
                    look_at=look_at.timestamp(),
                    poll_seconds=wait_of("batch_poll_seconds").total_seconds(),
                    ended=ended,
                ),
                method_name="execute_complete",
            )
        self._sleep(batch_ids, look_at)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Go on after the triggerer's wait; the event says no more than that it is time to look."""
        if event.get("status") not in {"ended", "due"}:
            raise ValueError(f"The trigger answered {event.get('status')!r}, which is neither ended nor due.")
        return self.look_again(event["ended"])

    def _sleep(self, batch_ids: list[int], look_at: datetime) -> None:
        """Wait as the trigger does, in this task."""
        from backmarket.triggers.batch import have_ended

        with self.hook as client:
            while (left := look_at.timestamp() - time.time()) > 0:
                time.sleep(min(wait_of("batch_poll_seconds").total_seconds(), left))
                if batch_ids and have_ended(client, batch_ids):
                    return
