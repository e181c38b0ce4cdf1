"""Airflow on several workers: Redis, CeleryExecutor, and machines that share nothing but databases and the broker."""
