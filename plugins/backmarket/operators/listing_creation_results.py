"""Finds out how every sent line ended: by the batch's report, and by what Back Market then shows."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.operators.batch_looking import Findings
    from backmarket.rules.catalog import Kind

_COUNTED = ("confirmed", "different", "refused", "planned", "unknown")
_MOST_REMARKS_LOGGED = 100


class BackMarketListingCreationResultsOperator(BackMarketOperator):
    """Settles what was sent: reads the batches' reports, reads the SKUs back, and compares.

    What is under way stands in ``backmarket.changes`` alone, so this task may be killed, cleared or repeated at any
    moment. It waits until batches end and lost ones show, at most until ``[backmarket] batch_deadline_seconds``
    after they were sent.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    :param wait: whether to wait; without it, look once and go on.
    :param deferrable: whether to wait in the triggerer, which holds no worker slot.
    """

    template_fields = (*BackMarketOperator.template_fields, "kind")
    ui_color = "#d4edda"

    def __init__(
        self,
        *,
        kind: Kind,
        wait: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.wait = wait
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many lines were created as sent, created with differences, refused, put back into the queue,
        and are not known yet; and, as ``new``, how many listings there are more."""
        return self._go_on(Counter())

    def execute_complete(self, context: Context, event: dict[str, Any], ended: dict[str, int]) -> dict[str, int]:
        """Go on after the wait; the event says no more than that it is time to look.

        :param ended: what was settled before the wait.
        """
        if event.get("status") not in {"ended", "due"}:
            raise ValueError(f"The trigger answered {event.get('status')!r}, which is neither ended nor due.")
        return self._go_on(Counter(ended))

    def _go_on(self, ended: Counter[str]) -> dict[str, int]:
        while True:
            findings = self._look()
            unknown = findings.counts.pop("unknown", 0)
            ended += findings.counts
            if not self.wait or findings.look_at is None:
                return self._end(ended, unknown)
            self.log.info("%d lines are not known yet; looking again at %s.", unknown, findings.look_at)
            if self.deferrable:
                self._defer(findings, ended)
            self._sleep(findings)

    def _look(self) -> Findings:
        from backmarket.operators.batch_looking import BatchLooking
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger = Ledger(connection, self.account, self.kind)
            findings = BatchLooking(ledger, client, poll=_poll(), deadline=_deadline()).look()
        for remark in findings.remarks[:_MOST_REMARKS_LOGGED]:
            self.log.warning("%s", remark)
        if len(findings.remarks) > _MOST_REMARKS_LOGGED:
            self.log.warning("All %d remarks stand in backmarket.catalog_readiness.", len(findings.remarks))
        return findings

    def _defer(self, findings: Findings, ended: Counter[str]) -> None:
        from backmarket.triggers.batch import BackMarketBatchTrigger

        assert findings.look_at is not None  # noqa: S101 - the caller asked
        self.defer(
            trigger=BackMarketBatchTrigger(
                backmarket_conn_id=self.backmarket_conn_id,
                batch_ids=findings.running,
                look_at=findings.look_at.timestamp(),
                poll_seconds=_poll().total_seconds(),
            ),
            method_name="execute_complete",
            kwargs={"ended": dict(ended)},
        )

    def _sleep(self, findings: Findings) -> None:
        """Wait as the trigger does, in this task."""
        from backmarket.triggers.batch import have_ended

        assert findings.look_at is not None  # noqa: S101 - the caller asked
        with self.hook as client:
            while (left := findings.look_at.timestamp() - time.time()) > 0:
                time.sleep(min(_poll().total_seconds(), left))
                if findings.running and have_ended(client, findings.running):
                    return

    def _end(self, ended: Counter[str], unknown: int) -> dict[str, int]:
        counts = {name: ended[name] for name in _COUNTED} | {
            "unknown": unknown,
            "new": ended["confirmed"] + ended["different"],
        }
        self.log.info(
            "Created: %(confirmed)d as sent, %(different)d with differences. Refused: %(refused)d. To be sent again: "
            "%(planned)d. Not known yet: %(unknown)d.",
            counts,
        )
        return counts


def _poll() -> timedelta:
    return timedelta(seconds=conf.getfloat("backmarket", "batch_poll_seconds", fallback=30.0))


def _deadline() -> timedelta:
    return timedelta(seconds=conf.getfloat("backmarket", "batch_deadline_seconds", fallback=2_700.0))
