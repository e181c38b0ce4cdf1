"""Adds up what the tasks of a run did, for other DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUMMED = ("new", "changed", "unchanged", "quarantined", "gone", "requests")


def counts_of_run(counts: dict[str, int] | Iterable[dict[str, int] | None] | None) -> dict[str, int]:
    """Add up the counts of one task or of several; None stands for a task that was skipped."""
    tasks = [counts] if isinstance(counts, dict) else counts or ()
    done = [task for task in tasks if task]
    return {name: sum(task.get(name, 0) for task in done) for name in _SUMMED}


def changed_in(counts: dict[str, int]) -> int:
    """Return how many things are new, changed or gone."""
    return counts["new"] + counts["changed"] + counts["gone"]
