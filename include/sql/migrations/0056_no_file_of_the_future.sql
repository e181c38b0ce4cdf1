-- A file can have been stored no later than it was seen, whatever its storage says: one of a time to come held against
-- all that came after it. What it kept out is read again.

with late as (
    update backmarket.seller_files
    set loaded_of = read_at
    where loaded_of > read_at
    returning account, target
)

update backmarket.seller_files as file
set is_settled = false
from late
where file.account = late.account and file.target = late.target and file.status = 'superseded';

with late as (
    select account, invoice_ref, currency, exported_at, loaded_at
    from backmarket.settlement_statements
    where exported_at > loaded_at
),

mended as (
    update backmarket.settlement_lines as line
    set first_export = late.loaded_at
    from late
    where
        line.account = late.account
        and line.invoice_ref = late.invoice_ref
        and line.currency = late.currency
        and line.first_export = late.exported_at
),

kept_out as (
    delete from backmarket.settlement_files as file
    using late
    where file.account = late.account and file.invoice_ref = late.invoice_ref and file.loaded_at > late.loaded_at
)

update backmarket.settlement_statements as statement
set exported_at = late.loaded_at
from late
where
    statement.account = late.account
    and statement.invoice_ref = late.invoice_ref
    and statement.currency = late.currency;

comment on column backmarket.seller_files.loaded_of is
'When the version of it that was loaded last was stored, no later than it was seen; empty where none ever was.';
comment on column backmarket.settlement_statements.exported_at is
'When the newest export''s file was stored, no later than it was seen: of two exports of one statement the later holds.';
