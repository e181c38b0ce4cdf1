"""The example DAGs of the documentation run as they stand."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from backmarket.assets import asset
from tests.dags.conftest import read_dags
from tests.page.given import add_orders

if TYPE_CHECKING:
    import psycopg

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = DOCS / "examples"


@pytest.mark.parametrize("orders", [60, 0])
def test_orders_become_a_parquet_file(
    airflow_database: None, warehouse: psycopg.Connection[Any], tmp_path: Path, orders: int
) -> None:
    """It starts on the asset of orders; its file has the same types with rows and without, and amounts to the cent."""
    add_orders(warehouse, orders)
    dag = read_dags(EXAMPLES).dags["orders_to_parquet"]
    starts_on: Any = dag.timetable.asset_condition
    assert (starts_on.name, starts_on.uri) == (asset("orders").name, asset("orders").uri)
    run = dag.test(run_conf={"folder": f"file://{tmp_path}"})
    assert run.state == "success"
    table = pq.read_table(tmp_path / "order_lines.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "order_id": "int64",
        "orderline_id": "int64",
        "sku": "string",
        "quantity": "int32",
        "price": "decimal128(18, 2)",
        "currency": "string",
        "state": "int32",
        "country_code": "string",
        "date_creation": "timestamp[us, tz=UTC]",
    }
    assert table.num_rows == min(orders, 29)
    assert set(table["price"].to_pylist()) <= {Decimal("199.90")}


def test_the_example_of_the_reference_starts_on_orders(airflow_database: None, tmp_path: Path) -> None:
    """What a reader copies is a DAG file."""
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "reference/README.md").read_text(), flags=re.DOTALL)
    (tmp_path / "pack.py").write_text(example)
    bag = read_dags(tmp_path)
    assert bag.import_errors == {}
    starts_on: Any = bag.dags["pack"].timetable.asset_condition
    assert starts_on.name == asset("orders").name
