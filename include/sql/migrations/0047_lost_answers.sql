-- A request without an answer may arrive some time after its client gave up, not after it began.
alter table backmarket.changes add column lost_at timestamptz;

comment on column backmarket.changes.lost_at is
'When the answer to its newest request was lost; null where it was not, or its sender was killed.';
