-- Remember that a file has been read.
-- :account, :path, :size, :modified_at, :sha256, :invoice_ref, :line_count
insert into backmarket.settlement_files (account, path, size, modified_at, sha256, invoice_ref, line_count)
values (
    %(account)s, %(path)s, %(size)s, %(modified_at)s, %(sha256)s, %(invoice_ref)s, %(line_count)s
)
on conflict (account, path) do update set
    size = excluded.size,
    modified_at = excluded.modified_at,
    sha256 = excluded.sha256,
    invoice_ref = excluded.invoice_ref,
    line_count = excluded.line_count,
    loaded_at = excluded.loaded_at
