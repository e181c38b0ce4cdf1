"""How all peers ask Back Market for orders."""

from __future__ import annotations

import httpx
from pyrate_limiter import InMemoryBucket, Limiter, Rate

PAGE = 50


def headers(token: str) -> dict[str, str]:
    """Return what each request says of itself."""
    return {
        "Authorization": f"Basic {token}",
        "User-Agent": "BM-Example-Benchmark;bench@example.com",
        "Accept-Language": "fr-fr",
    }


class Pages:
    """Fetches pages of orders from many threads, over connections that are kept.

    :param rate: no more requests than this, or as many as there are; None for no limit.
    """

    def __init__(self, base_url: str, token: str, rate: Rate | None) -> None:
        self._limiter = Limiter(InMemoryBucket([rate])) if rate else None
        self._client = httpx.Client(base_url=base_url, headers=headers(token), timeout=60)

    def fetch(self, number: int) -> bytes:
        """Return a page as it came."""
        if self._limiter:
            self._limiter.try_acquire("request", blocking=True)
        answer = self._client.get("/ws/orders", params={"page": number, "page-size": PAGE})
        answer.raise_for_status()
        return answer.content
