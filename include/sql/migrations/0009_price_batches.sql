-- A change sent as a line of a batch ends later, and otherwise, than one that was sent alone.

alter table backmarket.changes add column in_batch boolean not null default false;

comment on column backmarket.changes.in_batch is
'Sent last as a line of a batch; while batch_id is null, the answer that would name Back Market''s task is missing.';
