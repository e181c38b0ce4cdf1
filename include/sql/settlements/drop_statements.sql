-- A newer export no longer has these currencies: the statement holds nothing in them now.
-- :account, :invoice_ref, :currencies
update backmarket.settlement_statements
set line_count = 0, total = 0
where account = %(account)s and invoice_ref = %(invoice_ref)s and currency <> all(%(currencies)s)
