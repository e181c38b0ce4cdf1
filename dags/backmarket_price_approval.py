"""Airflow finds backmarket_price_approval here; what it does is told in ``backmarket.dags.price_approval``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("price_approval")
