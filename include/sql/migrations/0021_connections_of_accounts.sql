-- Says which connection an account's name stands for, so that two connections never share a name unnoticed.

alter table backmarket.accounts add column conn_id text;

comment on column backmarket.accounts.conn_id is
'The Airflow connection that the account was last run with; null before its first run since this column exists.';
