-- A newer export of a statement: rows that only older exports have are vanished, with their days to look at again.
-- :account, :invoice_ref
with vanished as (
    update backmarket.settlement_lines as stored
    set vanished = true
    where
        stored.account = %(account)s
        and stored.invoice_ref = %(invoice_ref)s
        and not stored.vanished
        and not exists (
            select 1
            from staged_settlement_lines as line
            where
                line.content_hash = stored.content_hash
                and line.occurrence = stored.occurrence
        )
    returning stored.value_date
)

insert into backmarket.settlement_stale_days (account, day)
select distinct %(account)s, value_date
from vanished
