"""Airflow finds backmarket_backbox here; what it does is told in ``backmarket.dags.backbox``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("backbox")
