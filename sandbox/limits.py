"""Back Market's documented limits on traffic and on SKU lines."""

import time
from collections import deque

REQUESTS_PER_TEN_SECONDS = 200
CATEGORY_REQUESTS_PER_TEN_SECONDS = 20
BACKBOX_REQUESTS_PER_SECOND = 2
SKU_LINES_PER_HOUR = 2_000


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
