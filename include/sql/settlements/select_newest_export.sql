-- The newest export stored of a statement, over all its currencies; no row where there is none.
-- :account, :invoice_ref
select exported_at, sha256
from backmarket.settlement_statements
where account = %(account)s and invoice_ref = %(invoice_ref)s
order by exported_at desc, sha256 desc
limit 1
