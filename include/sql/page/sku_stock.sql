-- What the seller's own systems say of a SKU.
-- :account, :sku
select quantity, counted_at, safety_qty, max_qty
from seller.stock
where account = %(account)s and sku = %(sku)s
