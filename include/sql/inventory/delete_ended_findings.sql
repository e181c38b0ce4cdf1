-- Forget states that have ended: those of these kinds that the newest plan did not find.
-- :account, :kinds, :keys
delete from backmarket.inventory_findings
where
    account = %(account)s and kind = any(%(kinds)s)
    and not (kind || '/' || sku = any(%(keys)s))
