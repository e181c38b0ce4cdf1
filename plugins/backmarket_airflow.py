"""Empty, and needed: Airflow imports the module that is called like an installed package, to look for example DAGs."""
