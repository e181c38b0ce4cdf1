-- The counts of some SKUs (as backmarket.sku_key gives them), as texts: each row is judged by itself.
-- :account, :skus
select
    stock.sku::text,
    stock.quantity::text,
    stock.counted_at::text,
    stock.safety_qty::text,
    stock.max_qty::text,
    -- Through JSON, as a view need not have this column.
    to_jsonb(stock) ->> 'orders_known_until'
from seller.stock as stock
where stock.account::text = %(account)s and backmarket.sku_key(stock.sku::text) = any(%(skus)s)
