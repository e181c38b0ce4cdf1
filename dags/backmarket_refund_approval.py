"""Airflow finds backmarket_refund_approval here; what it does is told in ``backmarket.dags.refund_approval``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("refund_approval")
