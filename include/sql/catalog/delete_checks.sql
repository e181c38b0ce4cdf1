-- Forget what the last run found of one kind of rows.
-- :account, :kind
delete from backmarket.catalog_checks
where account = %(account)s and kind = %(kind)s
