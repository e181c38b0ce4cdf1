-- What the newest export of a statement says of itself, for one currency.
-- :account, :invoice_ref, :currency, :file_name, :sha256, :exported_at, :issued_on, :line_count, :total
insert into backmarket.settlement_statements (
    account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
)
select
    %(account)s, %(invoice_ref)s, %(currency)s, %(file_name)s, %(sha256)s, %(exported_at)s, %(issued_on)s,
    daterange(
        least(min(value_date), %(issued_on)s::date - 7), greatest(max(value_date), %(issued_on)s::date - 1), '[]'
    ),
    %(line_count)s, %(total)s
from staged_settlement_lines
where currency = %(currency)s
on conflict (account, invoice_ref, currency) do update set
    file_name = excluded.file_name,
    sha256 = excluded.sha256,
    exported_at = excluded.exported_at,
    covers = excluded.covers,
    line_count = excluded.line_count,
    total = excluded.total,
    loaded_at = excluded.loaded_at
