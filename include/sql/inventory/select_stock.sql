-- The seller's counts.
-- :account
select sku, quantity, counted_at, safety_qty, max_qty, orders_known_until
from seller.stock
where account = %(account)s
order by sku
