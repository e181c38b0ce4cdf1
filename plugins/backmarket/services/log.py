"""What services write to for a person: an operator's log, or a logger of the standard library."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """The log of the task that a service works for."""

    def info(self, event: object, /, *args: object) -> object:
        """Write what was done."""

    def warning(self, event: object, /, *args: object) -> object:
        """Write what a person should see."""
