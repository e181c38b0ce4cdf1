-- A file may be another by now than the one that was loaded from it: what a statement was loaded from is kept with it.
alter table backmarket.settlement_statements add column contents text [] not null default '{}';

comment on column backmarket.settlement_statements.contents is
'The SHA-256 of each file that it was loaded from, whatever lies at its path now.';

update backmarket.settlement_statements as statement
set contents = array(
    select file.sha256
    from backmarket.settlement_files as file
    where
        file.account = statement.account and file.invoice_ref = statement.invoice_ref and file.line_count > 0
    union
    select statement.sha256
);
