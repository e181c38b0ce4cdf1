-- What the newest export of a statement says of itself, for one currency.
-- :account, :invoice_ref, :currency, :file_name, :sha256, :exported_at, :issued_on, :first_day, :last_day, :line_count,
-- :total
insert into backmarket.settlement_statements (
    account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
)
values (
    %(account)s, %(invoice_ref)s, %(currency)s, %(file_name)s, %(sha256)s, %(exported_at)s, %(issued_on)s,
    daterange(
        least(%(first_day)s, %(issued_on)s::date - 7), greatest(%(last_day)s, %(issued_on)s::date - 1), '[]'
    ),
    %(line_count)s, %(total)s
)
on conflict (account, invoice_ref, currency) do update set
    file_name = excluded.file_name,
    sha256 = excluded.sha256,
    exported_at = excluded.exported_at,
    covers = excluded.covers,
    line_count = excluded.line_count,
    total = excluded.total,
    loaded_at = excluded.loaded_at
