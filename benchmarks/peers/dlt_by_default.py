"""dlt's ``rest_api`` source, as a newcomer writes it."""

from __future__ import annotations

import sys
import tempfile

import dlt
from dlt.sources.rest_api import rest_api_source

from benchmarks.peers.asking import headers
from benchmarks.stopwatch import Stopwatch


def main(base_url: str, token: str, warehouse_uri: str, _limited: str) -> None:
    """Load everything as a newcomer would: page numbers, merge on the order id, lines in a child table."""
    source = rest_api_source(
        {
            "client": {
                "base_url": base_url,
                "headers": headers(token),
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "page_param": "page",
                    "total_path": None,
                },
            },
            "resources": [
                {
                    "name": "orders",
                    "primary_key": "order_id",
                    "write_disposition": "merge",
                    "endpoint": {
                        "path": "ws/orders",
                        "params": {"page-size": 50},
                        "data_selector": "results",
                        # The page after the last one answers so.
                        "response_actions": [{"status_code": 404, "action": "ignore"}],
                    },
                }
            ],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench", destination=dlt.destinations.postgres(warehouse_uri), dataset_name="peer", pipelines_dir=folder
        )
        watch = Stopwatch()
        pipeline.run(source)
        watch.stop()
        with pipeline.sql_client() as client:
            ((orders,),) = client.execute_sql("select count(*) from orders")
    watch.report(orders)


if __name__ == "__main__":
    main(*sys.argv[1:])
