-- Files of the seller that fill the seller tables, and which of them a row was last said by.

create table backmarket.seller_files (
    account text not null,
    path text not null,
    target text not null,
    size bigint not null,
    modified_at timestamptz not null,
    sha256 text not null,
    status text not null check (status in ('loaded', 'refused', 'held')),
    reason text not null default '',
    row_count integer not null default 0,
    rejected integer not null default 0,
    new_rows integer not null default 0,
    changed_rows integer not null default 0,
    gone_rows integer not null default 0,
    run_id text not null,
    read_at timestamptz not null default now(),
    gone_at timestamptz,
    primary key (account, path)
);
create index seller_files_by_target on backmarket.seller_files (account, target, read_at);

comment on table backmarket.seller_files is 'Every file of the seller inbox as it was when it was read last.';
comment on column backmarket.seller_files.status is
'loaded; refused: nothing of it is stored, the reason says why; held: it would have taken too much away.';
comment on column backmarket.seller_files.gone_at is
'Since when it is not in the inbox any more: then it is read anew when it comes back.';

create table backmarket.seller_file_rows (
    account text not null,
    target text not null,
    key text not null,
    path text not null,
    primary key (account, target, key)
);
create index seller_file_rows_by_path on backmarket.seller_file_rows (account, target, path);

comment on table backmarket.seller_file_rows is
'Which file said a row of a seller table last: what a corrected file no longer says goes with it.';
