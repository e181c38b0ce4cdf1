"""Adds up what the tasks of a run did, for other DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_SUMMED = ("new", "changed", "unchanged", "quarantined", "gone", "requests")


def total(counts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    """Add up the counts of several tasks."""
    done = [task for task in counts if task]
    return {name: sum(task.get(name, 0) for task in done) for name in _SUMMED}
