-- What Back Market showed of these SKUs when their quantities were planned.
-- :account, :skus
select sku, shown
from backmarket.inventory
where account = %(account)s and sku = any(%(skus)s)
