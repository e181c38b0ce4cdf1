"""Airflow finds backmarket_account here; what it does is told in ``backmarket.dags.account``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("account")
