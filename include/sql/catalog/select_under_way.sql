-- The SKUs, in lower case, of which it is not known yet whether their listing was created.
-- :account
select distinct backmarket.sku_key(subject)
from backmarket.changes
where account = %(account)s and kind in ('listing', 'product') and status in ('sent', 'unknown')
