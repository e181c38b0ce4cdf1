"""The DAGs of a Back Market account, for Airflow."""

from backmarket.dags import create_dags

globals().update(create_dags())
