"""Airflow finds backmarket_orders here; what it does is told in ``backmarket.dags.orders``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("orders")
