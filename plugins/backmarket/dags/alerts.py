"""
### Who is told?

Every fifteen minutes, tells people of what newly needs them: prices and refunds to approve, customers who wait, orders
overdue, changes refused, settlement differences, documents that could not be understood. All new ones come in one
message; what still waits is told again after `backmarket_alert_repeat_hours`.

**Switch** (Admin → Variables): `backmarket_alert_conn_id` names the connection to tell people by: type *HTTP* (a
webhook), *Slack Incoming Webhook* or *SMTP*. While it is empty, nobody is told. Failed tasks of all Back Market DAGs
are told by the same connection, at once, by the tasks themselves.

**Daily digest:** `daily_digest` tells once a day, from the UTC hour on that `backmarket_digest_hour` names, what the
day before brought: orders, units, net by currency, and what waits. While that Variable is empty, there is none.

**Metrics:** `report_metrics` sends how things stand, as gauges, by whatever Airflow's own metrics are sent by.

**Old history** is deleted once a day where `backmarket_history_retention_days` says how old: changes that ended, what
offers showed, settlement reports, decisions about prices, findings that closed. What a later run decides by stays,
whatever its age.

**When it fails:** `attention_alert`, `daily_digest`: the connection cannot be used; the message says why. The next run
tells what this one could not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.concerns import ALERTS
from backmarket.dag_defaults import concern_dag
from backmarket.operators.alerts import (
    BackMarketAttentionAlertOperator,
    BackMarketDailyDigestOperator,
    BackMarketPurgeHistoryOperator,
    BackMarketReportMetricsOperator,
)
from backmarket.operators.prepare_warehouse import BackMarketPrepareWarehouseOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from backmarket.seller_account import SellerAccount


def create_dag(account: SellerAccount) -> DAG:
    """Make the DAG of one account."""
    with concern_dag(account, ALERTS, doc_md=__doc__, tags=("alerts",)) as dag:
        prepare = BackMarketPrepareWarehouseOperator(task_id="prepare_warehouse", main_switch="all")
        alert = BackMarketAttentionAlertOperator(task_id="attention_alert")
        digest = BackMarketDailyDigestOperator(task_id="daily_digest")
        metrics = BackMarketReportMetricsOperator(task_id="report_metrics")
        purge = BackMarketPurgeHistoryOperator(task_id="purge_history")

        prepare >> [alert, digest, metrics, purge]
    return dag
