"""What services write their progress to."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """A logger: a task's own in Airflow, which is none of :mod:`logging`, or one of :mod:`logging`."""

    def info(self, message: str, /, *args: object) -> object: ...

    def warning(self, message: str, /, *args: object) -> object: ...
