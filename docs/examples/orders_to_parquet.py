"""### Order lines as a Parquet file

A DAG of your own. It starts whenever `backmarket_orders` has changed orders, reads the lines of the last 30 days from
the warehouse into a frame, which asks nothing of Back Market, and writes them into `order_lines.parquet`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, ObjectStoragePath, dag, task

LINES = """
select line.order_id, line.orderline_id, line.sku, line.quantity, line.price, line.currency, line.state,
    orders.country_code, orders.date_creation
from backmarket.order_lines as line
inner join backmarket.orders as orders on line.account = orders.account and line.order_id = orders.order_id
where line.account = 'default' and orders.date_creation >= now() - interval '30 days'
order by line.order_id, line.orderline_id
"""


@dag(
    schedule=Asset(name="backmarket/orders", uri="backmarket://orders"),
    params={"folder": "s3://your-bucket/backmarket"},
    max_active_runs=1,
    doc_md=__doc__,
    tags=["sales"],
)
def orders_to_parquet() -> None:
    """Write a Parquet file after each change of orders."""

    @task(retries=2, execution_timeout=timedelta(minutes=10))
    def write_file(params: Any = None) -> int:
        """Return how many lines the file has; Airflow hands the params in."""
        import pyarrow as pa
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        # Without this, pandas makes floats of amounts.
        lines = PostgresHook("backmarket_warehouse").get_df(LINES, coerce_float=False)
        # Said, and not inferred from what is there, so that every file has the same types, also one without rows.
        schema = pa.schema(
            {
                "order_id": pa.int64(),
                "orderline_id": pa.int64(),
                "sku": pa.string(),
                "quantity": pa.int32(),
                "price": pa.decimal128(18, 2),
                "currency": pa.string(),
                "state": pa.int32(),
                "country_code": pa.string(),
                "date_creation": pa.timestamp("us", tz="UTC"),
            }
        )
        with (ObjectStoragePath(params["folder"]) / "order_lines.parquet").open("wb") as file:
            lines.to_parquet(file, schema=schema, index=False)
        return len(lines)

    write_file()


orders_to_parquet()
