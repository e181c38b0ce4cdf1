"""What is injected: storms of faults in the sandbox, and what the harness does besides, counted by kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from sandbox.remote import Sandbox

_HUNG_SECONDS = 2.0
"""Longer than a client waits for an answer here."""

_LATE_SECONDS = 0.7
"""Shorter than that, and than the time after which a killed run's request is read back."""

MIXTURE: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("429_html", 0.05, {}),
    ("429_retry_after", 0.05, {"retry_after": 0}),
    ("500", 0.06, {}),
    ("502_html", 0.04, {}),
    ("502_html", 0.04, {"method": "WRITE", "applied": True}),
    ("500", 0.04, {"method": "WRITE", "applied": True, "applied_late": True, "seconds": _LATE_SECONDS}),
    ("reset_before", 0.02, {"method": "WRITE", "applied": True, "applied_late": True, "seconds": _LATE_SECONDS}),
    ("503_cf_ray", 0.04, {}),
    ("firewall_403", 0.002, {}),
    ("bot_challenge_403", 0.002, {}),
    ("403", 0.001, {}),
    ("401", 0.001, {}),
    ("redirect", 0.001, {}),
    ("html_200", 0.04, {}),
    ("reset_before", 0.05, {}),
    ("reset_after", 0.06, {}),
    ("cut_json", 0.05, {}),
    ("empty_body", 0.04, {}),
    ("slow", 0.004, {"seconds": _HUNG_SECONDS}),
    ("late", 0.03, {"seconds": _LATE_SECONDS}),
    # Nothing at Back Market shows a part of a price that was paid back.
    ("reset_after", 0.15, {"method": "POST", "path_prefix": "/ws/sav/refund"}),
    ("late", 0.15, {"method": "POST", "path_prefix": "/ws/sav/refund", "seconds": _LATE_SECONDS}),
    ("short_page", 0.05, {"path_prefix": "/ws/orders"}),
    ("short_page", 0.05, {"path_prefix": "/ws/listings"}),
    ("404_last_page", 0.03, {}),
    ("orders_arrive_while_paging", 0.05, {}),
    ("wrong_date_format", 0.02, {}),
    ("batch_fails", 0.15, {}),
    ("batch_line_fails", 0.15, {"sku": "NEW-0001"}),
)
"""Kind, chance for each request it fits, and its other fields."""


class Weather:
    """Switches faults on and off, and keeps count of what struck."""

    def __init__(self, sandbox: Sandbox, rng: Random) -> None:
        self._sandbox, self._rng = sandbox, rng
        self._past: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many faults have struck so far."""
        return sum(self.injected().values())

    def injected(self) -> Counter[str]:
        """Count what struck, by kind."""
        return self._past + self._now()

    def note(self, kind: str, times: int = 1) -> None:
        """Count something that the harness itself did."""
        self._past[kind] += times

    def storm(self) -> None:
        """Switch on all kinds, each stronger or weaker than on other days; sometimes 429 storms in a row."""
        self.calm()
        if self._rng.random() < 0.3:
            self._sandbox.fault("429_html", times=self._rng.randint(3, 15))
        for kind, chance, fields in MIXTURE:
            strength = self._rng.choice((0.5, 1.0, 1.5))
            self._sandbox.fault(kind, times=None, probability=chance * strength, **fields)

    def calm(self) -> None:
        """Switch all faults off."""
        self._past += self._now()
        self._sandbox.clear_faults()

    def _now(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for fault in self._sandbox.faults():
            counts[_name(fault)] += fault["fired"]
        return counts


def _name(fault: dict[str, Any]) -> str:
    """Name a fault for the report; a poison is one that is for a single item."""
    name: str = fault["kind"]
    if fault["applied"]:
        name += f" {'before' if fault['applied_late'] else 'after'} the write took effect"
    of_one_item = any(fault[item] for item in ("order_id", "listing", "care_folder", "market"))
    if of_one_item or fault["kind"] == "batch_refused":
        name = f"poison: {name}"
    return name
