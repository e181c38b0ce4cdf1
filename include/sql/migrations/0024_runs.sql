-- What is remembered of single runs of Airflow. First, what those of a backfill have read of the past of orders: Back
-- Market can be asked for "since" and not for "until", so one of them reads for all that come after it.

create table backmarket.order_history_reads (
    account text not null,
    run_id text not null,
    clear_number integer not null,
    created_from timestamptz not null,
    created_to timestamptz,
    began_at timestamptz not null,
    primary key (account, run_id, began_at)
);

comment on table backmarket.order_history_reads is
'Complete readings of the past by runs of backfills, of the last day.';
comment on column backmarket.order_history_reads.clear_number is
'How often that run had been cleared: a run that was cleared more often wants its orders read again.';
comment on column backmarket.order_history_reads.created_to is
'Orders created from here on were not stored; null: it reached up to began_at.';

alter table backmarket.changes add column refused_in jsonb;

comment on column backmarket.changes.refused_in is
'The task of Airflow that refused it or read its refusal, whose log says why: dag_id, run_id, task_id, map_index, try_number.';
