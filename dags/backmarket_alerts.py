"""Airflow finds backmarket_alerts here; what it does is told in ``backmarket.dags.alerts``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("alerts")
