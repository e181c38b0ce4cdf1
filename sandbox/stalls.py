"""Notes when this process stood still: what was on its way then arrives all at once, whoever sent it in good time."""

import asyncio
import time
from math import inf

BEAT_SECONDS = 0.05
STALL_SECONDS = 0.25


class Stalls:
    """When the event loop was last held up, by a busy machine."""

    def __init__(self) -> None:
        self._beat_at = time.monotonic()
        self._ended_at = -inf

    async def keep_beating(self) -> None:
        """Beat for ever; a beat that comes late was held up."""
        while True:
            self._beat()
            await asyncio.sleep(BEAT_SECONDS)

    def is_recent(self, seconds: float) -> bool:
        """Tell whether the process stood still within the last so many seconds, or just does."""
        self._beat()
        return time.monotonic() - self._ended_at < seconds

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at > BEAT_SECONDS + STALL_SECONDS:
            self._ended_at = now
        self._beat_at = now
