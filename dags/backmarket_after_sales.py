"""Airflow finds backmarket_after_sales here; what it does is told in ``backmarket.dags.after_sales``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("after_sales")
