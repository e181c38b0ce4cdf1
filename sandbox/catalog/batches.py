"""Catalog batches (Back Market calls them tasks): accepted at once, carried out later, one result per SKU."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

TODO, RUNNING, FAILED, DONE = 0, 2, 8, 9
FIRST_TASK_ID = 1_011_001


@dataclass(slots=True)
class Batch:
    """One batch: where it stands and what became of each SKU."""

    task_id: int
    market: str
    action_status: int = TODO
    last_action_error: str | None = None
    result: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """Give the document that `GET /ws/tasks/{id}` answers."""
        return {
            "task_id": self.task_id,
            "action_status": self.action_status,
            "last_action_error": self.last_action_error,
            "result": self.result,
            "statuscode": 200,
        }


class BatchStore:
    """All batches; `on_change` hears of every saved one."""

    def __init__(self, on_change: Callable[[Batch], None]) -> None:
        self._batches: dict[int, Batch] = {}
        self._on_change = on_change

    def add(self, market: str) -> Batch:
        """Open a batch."""
        batch = Batch(max(self._batches, default=FIRST_TASK_ID) + 1, market)
        self._batches[batch.task_id] = batch
        self._on_change(batch)
        return batch

    def save(self, batch: Batch) -> None:
        """Note that a batch changed."""
        self._on_change(batch)

    def get(self, task_id: int) -> Batch | None:
        """Find a batch."""
        return self._batches.get(task_id)

    def resume(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take batches over from an earlier run; what was under way then is lost, as on the real platform."""
        for document in documents:
            batch = Batch(**document)
            if batch.action_status in {TODO, RUNNING}:
                batch.action_status, batch.last_action_error = FAILED, "Task has been interrupted."
            self._batches[batch.task_id] = batch
