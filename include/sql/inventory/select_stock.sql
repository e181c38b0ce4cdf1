-- The seller's counts, as texts: each row is judged by itself.
-- :account
select
    stock.sku::text,
    stock.quantity::text,
    stock.counted_at::text,
    stock.safety_qty::text,
    stock.max_qty::text,
    -- Through JSON, as a view need not have this column.
    to_jsonb(stock) ->> 'orders_known_until'
from seller.stock as stock
where stock.account::text = %(account)s
order by stock.sku::text
