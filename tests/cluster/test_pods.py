"""A task needs no shared disk: each runs alone in empty folders, from a checkout that nobody may write to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster.machines import Machine
from local.variables import TOGGLES
from tests.plain_words import faults, our_lines

if TYPE_CHECKING:
    import psycopg

    from sandbox.remote import Sandbox

PROJECT = Path(__file__).resolve().parents[2]
DAGS = (
    "backmarket_account",
    "backmarket_listings",
    "backmarket_orders",
    "backmarket_tracking_imei",
    "backmarket_inventory_prices",
    "backmarket_backbox",
    "backmarket_price_approval",
    "backmarket_after_sales",
    "backmarket_refund_approval",
    "backmarket_settlements",
    "backmarket_seller_files",
    "backmarket_alerts",
)
ARTICLES = """
    insert into seller.catalog (
        sku, product_id, ean, quantity, price, currency, market, grade, warranty_delay, comment, category_id, title,
        description, brand, price_new, weight, images, attributes
    )
    values
    (
        'NEW-LISTING', '51003', null, 2, 199.00, 'EUR', 'fr-fr', 'GOOD', 12, 'Testé', null, null,
        null, null, null, null, null, null
    ),
    (
        'NEW-PRODUCT', null, '4006381333931', 2, 199.00, 'EUR', 'fr-fr', 'GOOD', 12, null, 101, 'Téléphone X',
        'Reconditionné', 'Exemple', 399.00, 180, '["https://images.example.com/1.jpg"]',
        '{"color": "Bleu", "storage": 64, "unlocked": "Unlocked GSM"}'
    )
"""


def give_work(sandbox: Sandbox, database: psycopg.Connection[Any]) -> None:
    """Fill the seller's tables so that every task has something to do, a refund among it."""
    database.execute(ARTICLES.encode())
    order = sandbox.create_order(state=1, force=True)
    (line,) = order["orderlines"]
    rows = [(listing["sku"], listing["quantity"] + 50) for listing in sandbox.listings()]
    with database.cursor() as cursor:
        cursor.executemany("insert into seller.stock (sku, quantity, counted_at) values (%s, %s, now())", rows)
    database.execute(
        b"insert into seller.shipments (order_id, tracking_number, shipper) values (%s, 'T1', 'UPS')",
        [order["order_id"]],
    )
    database.execute(
        b"insert into seller.devices (order_id, orderline_id, sku, serial_number) values (%s, %s, %s, 'SN1')",
        [order["order_id"], line["id"], line["listing"]],
    )
    shipped = sandbox.create_order(lines=[{"sku": line["listing"], "state": 3}], force=True, is_backship=True)
    database.execute(b"insert into seller.refunds (order_id, kind) values (%s, 'refund')", [shipped["order_id"]])
    priced = [listing for listing in sandbox.listings() if (listing["offers"].get("fr-fr") or {}).get("price")]
    for listing, factor in zip(priced, ("0.5", "0.97", "0.98"), strict=False):
        offer = listing["offers"]["fr-fr"]
        price = (Decimal(offer["price"]) * Decimal(factor)).quantize(Decimal("0.01"))
        database.execute(
            b"insert into seller.prices (sku, market, price, currency) values (%s, 'fr-fr', %s, %s)",
            [listing["sku"], price, offer["currency"]],
        )


@pytest.mark.timeout(600)
def test_every_task_of_every_dag_runs_in_a_pod_of_its_own(
    sandbox: Sandbox,
    warehouse: psycopg.Connection[Any],
    warehouse_uri: str,
    airflow_database: None,
    tmp_path: Path,
) -> None:
    """All succeed, nothing is written but to a task's temporary folder, and the checkout stays as it was.

    What they log, over the whole life of articles and orders, is written for people.
    """
    give_work(sandbox, warehouse)
    node = Machine(tmp_path / "node")
    node.deploy()
    before = node.fingerprint()
    inbox = tmp_path / "bucket"
    sandbox.write_statements(inbox)
    seller_inbox = tmp_path / "seller"
    seller_inbox.mkdir()
    (seller_inbox / "catalog.csv").write_text("sku,title\nLATER,Téléphone Y\n")
    invoices = tmp_path / "invoices"
    invoices.mkdir()
    (invoices / f"{sandbox.orders()[0]['order_id']}.pdf").write_bytes(b"%PDF-1.7")
    metadata = tmp_path / "airflow.db"
    shutil.copyfile(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///"), metadata)
    connection = {
        "conn_type": "backmarket",
        "host": sandbox.base_url,
        "password": sandbox.token,
        "extra": {"market": "fr-fr", "user_agent": "BM-Example-Tests;tests@example.com"},
    }
    environment = {
        **os.environ,
        **node.environment(),
        "PYTHONPATH": os.pathsep.join((str(node.project / "plugins"), str(PROJECT))),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{metadata}",
        "AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS": "0.2",
        "AIRFLOW_CONN_BACKMARKET_DEFAULT": json.dumps(connection),
        **{f"AIRFLOW_VAR_{name.upper()}": "true" for name in TOGGLES},
        "AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX": inbox.as_uri(),
        "AIRFLOW_VAR_BACKMARKET_INVOICE_FOLDER": invoices.as_uri(),
        "AIRFLOW_VAR_BACKMARKET_SELLER_FILES": "true",
        "AIRFLOW_VAR_BACKMARKET_SELLER_INBOX": seller_inbox.as_uri(),
        "AIRFLOW_VAR_BACKMARKET_BACKBOX_REQUESTS_AN_HOUR": "4",
        "AIRFLOW_VAR_BACKMARKET_HISTORY_RETENTION_DAYS": "30",
        "AIRFLOW_VAR_BACKMARKET_PII_RETENTION_DAYS": "30",
    }
    ended = subprocess.run(
        [sys.executable, PROJECT / "tests" / "cluster" / "pods.py", tmp_path / "pods", *DAGS],
        cwd=node.working_folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    failed = [name for tasks in found["states"].values() for name, state in tasks.items() if "fail" in state]
    assert failed == [], ended.stdout[-6000:]
    assert found["never"] == {dag_id: [] for dag_id in DAGS}
    assert found["written"] == {}
    told = list(our_lines(ended.stdout.splitlines()))
    assert len(told) > 40
    assert [fault for line in told for fault in faults(line)] == []
    assert list(node.working_folder.iterdir()) == []
    assert node.fingerprint() == before
