-- The operational database, beside Airflow's own; the DAGs make its schemas.
create database backmarket;
