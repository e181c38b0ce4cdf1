"""Back Market's documented limits on traffic and on SKU lines."""

import re
import time
from collections import deque

from sandbox.clock import DAY, MINUTE

REQUESTS_PER_TEN_SECONDS = 200
CATEGORY_REQUESTS_PER_TEN_SECONDS = 20
BACKBOX_REQUESTS_PER_SECOND = 2
SKU_LINES_PER_HOUR = 2_000

CARE_LIMITS: tuple[tuple[str, str, int | None, int], ...] = (
    ("GET", r"/ws/sav", 520, 4_000),
    ("GET", r"/ws/sav/\d+", 600, 40_000),
    ("POST", r"/ws/sav/\d+/msg", 560, 40_000),
    ("POST", r"/ws/sav/\d+/problem", 750, 1_000),
    ("POST", r"/ws/sav/refund", None, 500),
    ("POST", r"/ws/sav/\d+/item-transfer", 292, 500),
)
"""Method, path, requests a minute and requests a day of each endpoint of customer care."""


class TrafficLimit:
    """More than `limit` requests within a window of `seconds`: everything is refused for as long again."""

    def __init__(self, limit: int, seconds: float = 10.0) -> None:
        self._limit = limit
        self._seconds = seconds
        self._seen: deque[float] = deque()
        self._blocked_until = 0.0

    def admits(self) -> bool:
        """Count one request and tell whether it may pass."""
        now = time.monotonic()
        if now < self._blocked_until:
            return False
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._limit:
            self._blocked_until = now + self._seconds
            self._seen.clear()
            return False
        self._seen.append(now)
        return True


class SkuLineLimit:
    """No more than 2,000 SKU lines an hour over both ways of writing listings together."""

    def __init__(self, limit: int = SKU_LINES_PER_HOUR) -> None:
        self._limit = limit
        self._seen: deque[tuple[float, int]] = deque()
        self._total = 0

    def admits(self, lines: int) -> bool:
        """Count `lines` and tell whether they may pass; refused lines are not counted."""
        now = time.monotonic()
        while self._seen and self._seen[0][0] <= now - 3600:
            self._total -= self._seen.popleft()[1]
        if self._total + lines > self._limit:
            return False
        self._seen.append((now, lines))
        self._total += lines
        return True

    def forget(self) -> None:
        """Let the hour be over."""
        self._seen.clear()
        self._total = 0


class CareLimits:
    """How often each endpoint of customer care may be asked, by the sandbox's clock; what is refused is not counted."""

    def __init__(self) -> None:
        self._limits = [
            (
                method,
                re.compile(path),
                [_Window(limit, length) for limit, length in ((minute, MINUTE), (day, DAY)) if limit],
            )
            for method, path, minute, day in CARE_LIMITS
        ]

    def admits(self, method: str, path: str, now: int) -> bool:
        """Count one request at the moment `now` (microseconds) and tell whether it may pass."""
        for limited, pattern, windows in self._limits:
            if method == limited and pattern.fullmatch(path):
                if any(window.is_full(now) for window in windows):
                    return False
                for window in windows:
                    window.count(now)
        return True


class _Window:
    def __init__(self, limit: int, length: int) -> None:
        self._limit = limit
        self._length = length
        self._seen: deque[int] = deque()

    def is_full(self, now: int) -> bool:
        while self._seen and self._seen[0] <= now - self._length:
            self._seen.popleft()
        return len(self._seen) >= self._limit

    def count(self, now: int) -> None:
        self._seen.append(now)
