"""Airflow's HttpOperator with pagination, and the PostgresHook, as a user without a package would do it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from benchmarks.peers.asking import PAGE, headers
from benchmarks.stopwatch import Stopwatch

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp())

if TYPE_CHECKING:
    from requests import Response


def main(base_url: str, token: str, warehouse_uri: str, _limited: str) -> None:
    """Load everything: one page after the other, then one COPY of the raw documents."""
    os.environ["AIRFLOW_CONN_BACK_MARKET"] = json.dumps({"conn_type": "http", "host": base_url})
    os.environ["AIRFLOW_CONN_TARGET"] = warehouse_uri.replace("postgresql://", "postgres://")
    from airflow.providers.http.operators.http import HttpOperator
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    number = 1

    def following(response: Response) -> dict[str, Any] | None:
        nonlocal number
        number += 1
        return {"data": {"page": number, "page-size": PAGE}} if response.json()["next"] else None

    orders = HttpOperator(
        task_id="orders",
        http_conn_id="back_market",
        endpoint="ws/orders",
        method="GET",
        data={"page": 1, "page-size": PAGE},
        headers=headers(token),
        pagination_function=following,
        response_filter=lambda responses: [order for response in responses for order in response.json()["results"]],
    )
    watch = Stopwatch()
    found = orders.execute({})
    with PostgresHook(postgres_conn_id="target").get_conn() as connection, connection.cursor() as cursor:
        cursor.execute("create table raw_orders (order_id bigint primary key, document jsonb)")
        with cursor.copy("copy raw_orders from stdin") as copy:
            for order in found:
                copy.write_row((order["order_id"], json.dumps(order)))
        connection.commit()
        watch.stop()
        (stored,) = cursor.execute("select count(*) from raw_orders").fetchone()
    watch.report(stored)


if __name__ == "__main__":
    main(*sys.argv[1:])
