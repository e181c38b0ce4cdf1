-- What another program wrote at the same moment keeps a file out for one run, not for good.

alter table backmarket.seller_files add column is_settled boolean not null default true;
comment on column backmarket.seller_files.is_settled is
'Whether nothing but another file would change what became of it; else the next run reads it again as it is.';
