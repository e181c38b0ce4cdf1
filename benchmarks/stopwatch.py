"""What a load tells of itself."""

from __future__ import annotations

import json
import os
import time


class Stopwatch:
    """Counts seconds, and those on a processor: of this process, and of its children that have ended."""

    def __init__(self) -> None:
        self._began, self._cpu_began = time.monotonic(), _cpu_seconds()
        self._seconds = self._cpu_seconds = 0.0

    def stop(self) -> None:
        """Count no further."""
        self._seconds, self._cpu_seconds = time.monotonic() - self._began, _cpu_seconds() - self._cpu_began

    def report(self, orders: int) -> None:
        """Print a line of JSON: how many orders are stored, and the seconds."""
        print(json.dumps({"orders": orders, "seconds": self._seconds, "cpu_seconds": self._cpu_seconds}))


def _cpu_seconds() -> float:
    return sum(os.times()[:4])
