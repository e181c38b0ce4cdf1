"""Faults that a test switches on: what to break, for which requests, how often."""

from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from typing import Any

from starlette.requests import Request

INSTEAD_OF_ANSWER = frozenset(
    {
        "429_html", "429_retry_after", "503_cf_ray", "500", "502_html", "firewall_403", "bot_challenge_403",
        "html_200", "redirect", "401", "reset_before",
    }
)  # fmt: skip
"""These answer in Back Market's place; nothing is applied unless the fault says `"applied": true`."""

ON_TOP_OF_ANSWER = frozenset({"cut_json", "reset_after", "slow", "empty_body", "short_page", "404_last_page"})
"""These let the request take effect and then spoil the answer."""

INSIDE = frozenset({"orders_arrive_while_paging", "wrong_date_format", "batch_fails", "batch_line_fails"})
"""These are carried out by the endpoints they concern."""

KINDS = INSTEAD_OF_ANSWER | ON_TOP_OF_ANSWER | INSIDE


@dataclass(slots=True)
class Fault:
    """One switched-on fault; `orders`, `rows`, `seconds`, `retry_after` and `sku` matter to the kinds they name.

    It skips the first `after` requests that match, then fires with `probability`, `times` times (None: for ever).
    """

    kind: str
    method: str | None = None
    path_prefix: str = "/ws/"
    times: int | None = 1
    probability: float = 1.0
    after: int = 0
    applied: bool = False
    orders: int = 1
    rows: int | None = None
    seconds: float = 5.0
    retry_after: int = 2
    sku: str = ""
    id: int = 0
    fired: int = 0
    seen: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those this fault is for."""
        return path.startswith(self.path_prefix) and self.method in (None, method)

    def fires(self, rng: Random) -> bool:
        """Count a matching request and decide whether the fault strikes."""
        self.seen += 1
        exhausted = self.times is not None and self.fired >= self.times
        if self.seen <= self.after or exhausted or rng.random() >= self.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(self, rng: Random) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._rng = rng

    def add(self, fields: dict[str, Any]) -> Fault:
        """Switch a fault on; raises ValueError or TypeError where the request makes no sense."""
        fault = Fault(**fields)
        if fault.kind not in KINDS:
            raise ValueError(f"kind {fault.kind!r} is none of {', '.join(sorted(KINDS))}")
        if fault.method is not None:
            fault.method = fault.method.upper()
        fault.id = next(self._ids)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all off."""
        self._faults.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Give all of them with their counts for the control API."""
        return [asdict(fault) for fault in self._faults]

    def strike(self, kinds: frozenset[str], method: str, path: str) -> Fault | None:
        """Give the first fault among `kinds` that strikes this request."""
        for fault in self._faults:
            if fault.kind in kinds and fault.matches(method, path) and fault.fires(self._rng):
                return fault
        return None

    def strike_inside(self, kind: str, request: Request) -> Fault | None:
        """Give a fault of one of the kinds that endpoints carry out themselves."""
        return self.strike(frozenset({kind}), request.method, request.url.path)
