-- The seller's counts.
-- :account
select
    sku,
    quantity,
    counted_at::timestamptz,
    safety_qty,
    max_qty,
    -- Through JSON, as a view need not have this column.
    (to_jsonb(stock) ->> 'orders_known_until')::timestamptz as orders_known_until
from seller.stock as stock
where account = %(account)s
order by sku
