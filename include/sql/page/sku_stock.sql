-- What the seller's own systems say of a SKU.
-- :account, :skus
select quantity, counted_at, safety_qty, max_qty
from seller.stock
where account = %(account)s and sku = any(%(skus)s)
order by counted_at desc
limit 1
