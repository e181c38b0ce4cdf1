-- Of two files that say the same thing the newer one holds, whichever is read first.

alter table backmarket.seller_files drop constraint seller_files_status_check;
alter table backmarket.seller_files add constraint seller_files_status_check check (
    status in ('loaded', 'refused', 'held', 'superseded')
);
comment on column backmarket.seller_files.status is
'loaded; refused: nothing of it is stored, the reason says why; held: it would have taken too much away; superseded: '
'a newer file that says everything was loaded before it.';

alter table backmarket.seller_files add column loaded_of timestamptz;
comment on column backmarket.seller_files.loaded_of is
'When the version of it that was loaded last was stored; empty where none ever was.';
update backmarket.seller_files
set loaded_of = modified_at
where status = 'loaded';
