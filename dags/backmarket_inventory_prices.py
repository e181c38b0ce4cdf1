"""Airflow finds backmarket_inventory_prices here; what it does is told in ``backmarket.dags.inventory_prices``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("inventory_prices")
