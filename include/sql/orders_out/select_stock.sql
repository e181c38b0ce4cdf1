-- The counts of some SKUs (in lower case).
-- :account, :skus
select sku, quantity, counted_at, safety_qty, max_qty, orders_known_until
from seller.stock
where account = %(account)s and lower(sku) = any(%(skus)s)
