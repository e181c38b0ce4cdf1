-- How far loads are that take longer than some seconds, so that the page can tell while they run.

create table backmarket.progress (
    account text not null,
    task text not null,
    part text not null default '',
    thing text not null,
    done bigint not null,
    total bigint,
    started_at timestamptz not null,
    updated_at timestamptz not null,
    run_id text not null,
    primary key (account, task, part)
);

comment on table backmarket.progress is
'Loads that run now: one that was not updated for a minute has been killed.';
comment on column backmarket.progress.part is
'What is loaded a part of: a market, or a file; empty where there is one load.';
comment on column backmarket.progress.total is 'As far as is known now; null where it is not.';
