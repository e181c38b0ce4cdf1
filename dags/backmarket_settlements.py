"""Airflow finds backmarket_settlements here; what it does is told in ``backmarket.dags.settlements``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("settlements")
