"""Waits, without holding a worker slot, for Back Market to finish batches."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from backmarket.api.client import BackMarketClient


class BackMarketBatchTrigger(BaseTrigger):
    """Fires when none of the batches is running any more, or at a given time.

    It only says that it is time to read results; the task reads them. So a failure to poll here, or a restart of the
    triggerer, changes nothing but the moment. Polls count under the limit that all workers share.

    :param backmarket_conn_id: the seller account.
    :param warehouse_conn_id: the database through which that limit is shared.
    :param account: whose limit it is.
    :param batch_ids: Back Market's tasks to wait for; none means to wait for the time alone.
    :param look_at: when to fire at the latest, in seconds since the epoch.
    :param poll_seconds: how long to wait between two polls of the batches.
    :param ended: the task's counts of what had ended before the wait; its event hands them back, as ``dags test``
        forgets what a task defers with.
    """

    def __init__(
        self,
        *,
        backmarket_conn_id: str,
        warehouse_conn_id: str,
        account: str,
        batch_ids: list[int],
        look_at: float,
        poll_seconds: float,
        ended: dict[str, int],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.backmarket_conn_id = backmarket_conn_id
        self.warehouse_conn_id = warehouse_conn_id
        self.account = account
        self.batch_ids = batch_ids
        self.look_at = look_at
        self.poll_seconds = poll_seconds
        self.ended = ended

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to go on."""
        return (
            "backmarket.triggers.batch.BackMarketBatchTrigger",
            {
                "backmarket_conn_id": self.backmarket_conn_id,
                "warehouse_conn_id": self.warehouse_conn_id,
                "account": self.account,
                "batch_ids": self.batch_ids,
                "look_at": self.look_at,
                "poll_seconds": self.poll_seconds,
                "ended": self.ended,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``ended``, or ``due`` when the time has come first."""
        if self.batch_ids and await self._have_ended_in_time():
            yield self._event("ended")
            return
        await asyncio.sleep(max(0.0, self.look_at - time.time()))
        yield self._event("due")

    async def _have_ended_in_time(self) -> bool:
        """Poll until the batches have ended; give up at the time to look, or without the database."""
        from asgiref.sync import sync_to_async

        from backmarket.hooks.backmarket import BackMarketHook
        from backmarket.warehouse.connection import WarehouseUnavailableError

        hook = BackMarketHook(self.backmarket_conn_id, self.warehouse_conn_id, account=self.account)
        try:
            # Connections come from Airflow, which every version of it lets this kind of thread ask.
            client = await sync_to_async(hook.get_conn)()
            while (left := self.look_at - time.time()) > 0:
                await asyncio.sleep(min(self.poll_seconds, left))
                if await asyncio.to_thread(have_ended, client, self.batch_ids):
                    return True
        except WarehouseUnavailableError as error:
            self.log.warning("Batches are looked at when their time has come: no database answers (%s).", error.detail)
        finally:
            await asyncio.to_thread(hook.close)
        return False

    def _event(self, status: str) -> TriggerEvent:
        return TriggerEvent({"status": status, "ended": self.ended})  # type: ignore[no-untyped-call]


def have_ended(client: BackMarketClient, batch_ids: list[int]) -> bool:
    """Tell whether none of the batches is running any more.

    A batch whose status cannot be read counts as running, as it does for the task, and so it does while the database
    does not answer; an error that would stop the task ends the wait, so that the task meets it.
    """
    return not any(_goes_on(client, batch_id) for batch_id in batch_ids)


def _goes_on(client: BackMarketClient, batch_id: int) -> bool:
    import psycopg

    from backmarket.api import errors

    try:
        batch = client.get_task(batch_id)
    except (errors.NotFoundError, errors.AuthenticationError, errors.FirewallError, errors.RedirectRefusedError):
        return False
    except (errors.BackMarketError, psycopg.Error):
        return True
    return not (batch.is_done or batch.has_failed)
