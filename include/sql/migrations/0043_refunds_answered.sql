-- A refund that Back Market answered as done is never sent again, also where its order does not show it.
alter table backmarket.changes add column answered_at timestamptz;

comment on column backmarket.changes.answered_at is
'When Back Market answered a refund as done whose order did not show it at once; it is never sent again by itself.';

-- A care folder that Back Market fails on is asked for by its id, and keeps no other from being read.
create table backmarket.care_folders_unread (
    account text not null,
    care_folder_id bigint not null,
    reason text not null,
    first_failed_at timestamptz not null default now(),
    primary key (account, care_folder_id)
);

comment on table backmarket.care_folders_unread is
'Care folders that Back Market could not serve when they were asked for last; each run asks for them again.';
