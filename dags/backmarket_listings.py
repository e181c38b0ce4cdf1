"""Airflow finds backmarket_listings here; what it does is told in ``backmarket.dags.listings``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("listings")
