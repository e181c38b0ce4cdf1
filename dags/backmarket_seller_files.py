"""Airflow finds backmarket_seller_files here; what it does is told in ``backmarket.dags.seller_files``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("seller_files")
