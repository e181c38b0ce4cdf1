"""Airflow finds backmarket_tracking_imei here; what it does is told in ``backmarket.dags.tracking_imei``."""

from __future__ import annotations

from backmarket.dags import create_dag

dag = create_dag("tracking_imei")
