"""The Airflow DAGs of a second account, as a user's own DAG file makes them."""

from backmarket.dags import create_dags

globals().update(create_dags("us"))
