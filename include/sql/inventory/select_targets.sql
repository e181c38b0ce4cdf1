-- The listing of each SKU, and by which arithmetic its planned quantity came about.
-- :account, :skus
select sku, id, shown, sellable, safety_qty, max_qty
from backmarket.inventory
where account = %(account)s and sku = any(%(skus)s)
