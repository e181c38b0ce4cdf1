-- The run that first left a row of the seller's tables out: its retries name the row again, no later run does.

alter table backmarket.quarantine add column first_run text;

comment on column backmarket.quarantine.first_run is
'The run that first found it, for rows of the seller''s tables; null for documents.';
