-- Folders that Back Market cannot serve are asked for in turn, those that waited longest first.

alter table backmarket.care_folders_unread add column asked_at timestamptz not null default now();

comment on column backmarket.care_folders_unread.asked_at is 'When it was asked for last.';
