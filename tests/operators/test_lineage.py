"""What operators declare to read and write exists, and reaches Airflow's OpenLineage provider under the right names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor

from backmarket import operators
from backmarket.operators.base import BackMarketOperator
from sandbox.app import create_app
from sandbox.config import SandboxConfig

if TYPE_CHECKING:
    import psycopg

# They prepare, look at everything, delete, check counts, or answer from settings: no data flows.
WITHOUT_LINEAGE = {
    "BackMarketAttentionAlertOperator",
    "BackMarketDailyDigestOperator",
    "BackMarketItemsCheckOperator",
    "BackMarketMarketsOperator",
    "BackMarketPrepareWarehouseOperator",
    "BackMarketPurgeHistoryOperator",
    "BackMarketPurgePersonalDataOperator",
    "BackMarketReportMetricsOperator",
}
# What others are made from.
BASES = {
    "BackMarketOperator",
    "BackMarketBatchWaitingOperator",
    "BackMarketOrderChangesOperator",
    "BackMarketApprovalOperator",
    "BackMarketQuestionOperator",
    "BackMarketSendingOperator",
}
ALL = [getattr(operators, name) for name in operators.__all__]
OURS = {each.__name__: each for each in ALL if issubclass(each, BackMarketOperator) and each.__name__ not in BASES}


def _lineage(operator: BackMarketOperator) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return namespace and name of what an operator reads and writes, as the provider hears of it."""
    found = DefaultExtractor(operator).extract_on_complete(None)
    assert found is not None
    inputs, outputs = ({(each.namespace, each.name) for each in datasets} for datasets in (found.inputs, found.outputs))
    return inputs, outputs


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account of the European platform, and a database."""
    account = {
        "conn_type": "backmarket",
        "host": "www.backmarket.fr",
        "password": "token",
        "extra": {"market": "fr-fr", "user_agent": "BM-Acme-Tests;tests@acme.fr"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(account))
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://someone:s3cr3t@db.example.com/shop")


def test_every_operator_declares_what_it_reads_and_writes() -> None:
    """Or is listed here as one that moves no data."""
    assert {name for name, each in OURS.items() if not each.reads and not each.writes} == WITHOUT_LINEAGE


def test_every_table_exists(warehouse: psycopg.Connection[Any]) -> None:
    """In the schema as it is now."""
    names = {name for each in OURS.values() for name in (*each.reads, *each.writes) if "/" not in name}
    query = "select name from unnest(%s::text[]) as name where to_regclass(name) is null"
    assert warehouse.execute(query, [sorted(names)]).fetchall() == []


def test_every_path_is_one_of_the_seller_api() -> None:
    """As the sandbox serves it; ids in paths are left out, as all orders are one dataset."""
    served = {route.path.partition("/{")[0] for route in create_app(SandboxConfig()).routes}  # type: ignore[attr-defined]
    named = {name for each in OURS.values() for name in (*each.reads, *each.writes) if "/" in name}
    assert {f"/{name}" for name in named - {"inbox/settlements", "inbox/seller", "inbox/invoices"}} <= served


@pytest.mark.usefixtures("connections")
def test_a_download_leads_from_the_platform_to_tables() -> None:
    """Under the names that OpenLineage wants: without the password, with the port that nobody wrote."""
    inputs, outputs = _lineage(operators.BackMarketOrderDownloadOperator(task_id="order_download"))
    assert inputs == {("https://www.backmarket.fr", "ws/orders")}
    assert outputs == {
        ("postgres://db.example.com:5432", f"shop.backmarket.{table}")
        for table in ("orders", "order_lines", "order_addresses")
    }


@pytest.mark.usefixtures("connections")
def test_an_upload_leads_from_tables_to_the_platform() -> None:
    """What the seller's own systems have filled is among them."""
    inputs, outputs = _lineage(operators.BackMarketInventoryUploadOperator(task_id="inventory_upload"))
    assert ("postgres://db.example.com:5432", "shop.seller.stock") in inputs
    assert ("https://www.backmarket.fr", "ws/listings") in outputs


@pytest.mark.usefixtures("connections")
@pytest.mark.parametrize(
    ("inbox", "dataset"),
    [
        ("file:///data/statements", ("file", "/data/statements")),
        ("s3://aws_shop@bucket/back/market", ("s3://bucket", "back/market")),
    ],
)
def test_statements_come_from_the_inbox(inbox: str, dataset: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection by which its storage is opened is not part of its name."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_SETTLEMENT_INBOX", inbox)
    inputs, _ = _lineage(operators.BackMarketSettlementDownloadOperator(task_id="settlement_download"))
    assert dataset in inputs


def test_operators_need_no_openlineage() -> None:
    """Where the provider is not installed, they work as ever."""
    absent = "import sys; sys.modules |= dict.fromkeys(['openlineage', 'airflow.providers.openlineage.extractors'])"
    imports = "from backmarket import operators; print(len([getattr(operators, name) for name in operators.__all__]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{absent}; {imports}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.split() == [str(len(ALL))]
