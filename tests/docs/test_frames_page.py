"""The page on frames tells the truth: its examples run, its tables are the frames' columns."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.services.frames import COLUMNS, FILTERS
from tests.dags.conftest import connect
from tests.page.given import add_orders, add_settlement_lines

if TYPE_CHECKING:
    import psycopg

    from sandbox.remote import Sandbox

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations/frames.md").read_text(encoding="utf-8")
PANDAS, POLARS, API = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_column_stands_on_the_page(kind: Any) -> None:
    """With its type, in its place."""
    section = PAGE.partition(f"\n### {kind}\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| .+ \|$", section, flags=re.MULTILINE)
    assert rows == list(COLUMNS[kind].items())


def test_every_filter_stands_on_the_page() -> None:
    """Beside its frame; those of lines are those of orders."""
    for kind, filters in FILTERS.items():
        (told,) = re.findall(rf"^\| `{kind}` \| [^|]+ \| ([^|]+) \|$", PAGE, flags=re.MULTILINE)
        assert told == "the same" if kind == "order_lines" else set(re.findall(r"`(\w+)`", told)) == set(filters)


def test_the_example_of_the_warehouse_is_exact(warehouse: psycopg.Connection[Any]) -> None:
    """Amounts stay Decimal, as they would not without what the page says; missing ids do not make floats of others."""
    add_orders(warehouse, 5)
    add_settlement_lines(warehouse, 5)
    found: dict[str, Any] = {}
    exec(PANDAS, found)  # noqa: S102 - the point
    totals = found["totals"]
    assert {type(value) for value in totals["net"]} == {Decimal}
    assert totals["sales"].sum() == 5 * Decimal("189.90")
    hook = found["PostgresHook"]("backmarket_warehouse")
    assert {type(value) for value in hook.get_df(found["SQL"])["net"]} == {float}
    texts = hook.get_df(found["SQL"], coerce_float=False, dtype_backend="numpy_nullable")
    assert {type(value) for value in texts["net"]} == {str}
    missing = "select 123456789012345 as listing_id, 9.99::numeric as price union all select null, 1"
    frame = hook.get_df(missing, coerce_float=False, dtype={"listing_id": "Int64"})
    assert set(frame["listing_id"].dropna()) == {123456789012345}
    assert set(frame["price"]) == {Decimal("9.99"), Decimal(1)}


def test_the_example_of_polars_is_exact(warehouse: psycopg.Connection[Any]) -> None:
    """Where polars is installed, which nothing here needs."""
    pytest.importorskip("polars")
    add_orders(warehouse, 5)
    add_settlement_lines(warehouse, 5)
    found: dict[str, Any] = {}
    exec(POLARS, found)  # noqa: S102 - the point
    assert found["totals"]["sales"].sum() == 5 * Decimal("189.90")
    assert str(found["totals"]["net"].dtype).startswith("Decimal")


def test_the_example_of_the_api_runs(
    sandbox: Sandbox, warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the limit that the warehouse shares."""
    connect(sandbox, monkeypatch)
    found: dict[str, Any] = {}
    exec(API, found)  # noqa: S102 - the point
    assert set(found["paid"]["state"]) == {1}
    assert set(found["online"]["market"]) == {"fr-fr", "de-de"}
    assert set(found["lines"]["order_id"]) <= set(found["orders"]["order_id"])
