"""The page on metrics names those that are sent, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from backmarket.metrics import METRICS
from backmarket.warehouse.needs import NAMES

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations/metrics.md").read_text(encoding="utf-8")


def test_the_table_is_what_is_sent() -> None:
    """Name, type and tags, in the order of the code."""
    rows = re.findall(r"^\| `backmarket\.(\w+)` \| (\w+) \| ([\w, ]+) \|", PAGE, flags=re.MULTILINE)
    promised = [(name, metric.kind, ", ".join(("account", *metric.tags))) for name, metric in METRICS.items()]
    assert rows == promised


def test_what_to_alert_on_exists() -> None:
    """Every metric that a condition names, and the kinds of needs."""
    conditions = re.findall(r"^\| (?:no )?`(\w+)` (?:of|under|over|for)", PAGE, flags=re.MULTILINE)
    assert len(conditions) == 6
    assert set(conditions) <= set(METRICS)
    assert ", ".join(f"`{name}`" for name in NAMES) in PAGE
