-- What the seller's own systems say of a SKU, as texts: each row is judged by itself.
-- :account, :skus
select
    stock.sku::text as sku,
    stock.quantity::text as quantity,
    stock.counted_at::text as counted_at,
    stock.safety_qty::text as safety_qty,
    stock.max_qty::text as max_qty,
    -- Through JSON, as a view need not have this column.
    to_jsonb(stock) ->> 'orders_known_until' as orders_known_until
from seller.stock as stock
where stock.account::text = %(account)s and backmarket.sku_key(stock.sku::text) = backmarket.sku_key((%(skus)s::text [])[1])
