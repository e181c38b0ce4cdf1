"""The kinds of settlement findings: the same in the database, in the program and in the manual."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backmarket.rules.settlements.kinds import KINDS

if TYPE_CHECKING:
    import psycopg

MANUAL = Path(__file__).parents[2] / "docs" / "operations" / "settlements.md"


def test_every_kind_is_allowed_named_and_explained(warehouse: psycopg.Connection[Any]) -> None:
    """A kind that one of the three does not know would be refused, shown without a word, or not found in the manual."""
    row = warehouse.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'settlement_findings_kind_check'"
    ).fetchone()
    assert row is not None
    allowed = set(re.findall(r"'(\w+)'", row[0]))
    explained = re.findall(r"^\| `(\w+)` \|", MANUAL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(KINDS) >= 14
    assert allowed == set(KINDS)
    assert set(explained) == set(KINDS)
