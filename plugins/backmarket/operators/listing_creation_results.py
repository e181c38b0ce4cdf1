"""Finds out how every sent line ended: by the batch's report, and by what Back Market then shows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from backmarket.operators.batch_waiting import BackMarketBatchWaitingOperator
from backmarket.waits import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.operators.batch_looking import Findings
    from backmarket.rules.catalog import Kind

_COUNTED = ("confirmed", "different", "refused", "planned", "unknown")
_MOST_REMARKS_LOGGED = 100


class BackMarketListingCreationResultsOperator(BackMarketBatchWaitingOperator):
    """Settles what was sent: reads the batches' reports, reads the SKUs back, and compares.

    What is under way stands in ``backmarket.changes`` alone, so this task may be killed, cleared or repeated at any
    moment. It waits until batches end and lost ones show, at most until ``[backmarket] batch_wait_seconds`` after they
    were sent; then the next run looks.

    :param kind: ``listing``, or ``product`` for new products with their listing.
    :param wait: whether to wait; without it, look once and go on.
    """

    template_fields = (*BackMarketBatchWaitingOperator.template_fields, "kind")
    ui_color = "#d4edda"

    def __init__(self, *, kind: Kind, wait: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.wait = wait

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many lines were created as sent, created with differences, refused, put back into the queue,
        and are not known yet; and, as ``new``, how many listings there are more."""
        return self.look_again({})

    def look_again(self, ended: dict[str, int]) -> dict[str, int]:
        """Look, and wait and look again while that helps."""
        counts = Counter(ended)
        while True:
            findings = self._look()
            unknown = findings.counts.pop("unknown", 0)
            counts += findings.counts
            if not self.wait or findings.look_at is None:
                return self._end(counts, unknown)
            self.log.info("%d lines are not known yet; looking again at %s.", unknown, findings.look_at)
            self.wait_for_batches(findings.running, findings.look_at, dict(counts))

    def _look(self) -> Findings:
        from backmarket.operators.batch_looking import BatchLooking
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger

        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger = Ledger(connection, self.account, self.kind)
            looking = BatchLooking(
                ledger,
                client,
                poll=wait_of("batch_poll_seconds"),
                patience=wait_of("batch_wait_seconds"),
                deadline=wait_of("batch_deadline_seconds"),
                log=self.log,
            )
            findings = looking.look()
        for remark in findings.remarks[:_MOST_REMARKS_LOGGED]:
            self.log.warning("%s", remark)
        if len(findings.remarks) > _MOST_REMARKS_LOGGED:
            self.log.warning("All %d remarks stand in backmarket.catalog_readiness.", len(findings.remarks))
        return findings

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
