"""Asks Back Market where a batch is, and what it says of its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backmarket.operators.item_failures import raise_what_concerns_all
from backmarket.rules.batch_result import LONGEST_REASON, errors_by_key, told

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.rules.batch_end import BatchState
    from backmarket.warehouse.ledger import RecordedChange


@dataclass(frozen=True)
class BatchReport:
    """Where a batch is.

    :param error: why it failed as a whole.
    :param errors: what it says of single lines, by SKU or EAN in lower case.
    """

    state: BatchState
    error: str = ""
    errors: dict[str, str] = field(default_factory=dict)


def read_report(client: BackMarketClient, batch_id: int | None, log: Any) -> BatchReport:
    """Read a batch's report.

    A report that cannot be read says no more than one that is not over yet: ``running``; the log says why.

    :return: ``lost`` where Back Market knows no such batch, or never told its number.
    :raises BackMarketError: where the failure concerns all batches alike.
    """
    from backmarket.api.errors import BackMarketError, NotFoundError

    if batch_id is None:
        return BatchReport("lost")
    try:
        batch = client.get_task(batch_id)
    except NotFoundError:
        return BatchReport("lost")
    except BackMarketError as error:
        raise_what_concerns_all(error)
        log.warning("Batch %d counts as not finished, as its report cannot be read: %s", batch_id, error)
        return BatchReport("running")
    if batch.has_failed:
        return BatchReport("failed", told(batch.last_action_error)[:LONGEST_REASON])
    return BatchReport("done", errors=errors_by_key(batch.result)) if batch.is_done else BatchReport("running")


def by_batch(changes: list[RecordedChange]) -> dict[int | None, list[RecordedChange]]:
    """Sort sent lines by their batch; None for those whose batch is not known."""
    batches: dict[int | None, list[RecordedChange]] = {}
    for change in changes:
        batches.setdefault(change.batch_id, []).append(change)
    return batches
