-- The moments at which counts were made, and up to which they know of orders, as texts; each pair once.
-- :account, :sku (null for all)
select distinct stock.counted_at::text, to_jsonb(stock) ->> 'orders_known_until'
from seller.stock as stock
where
    stock.account::text = %(account)s
    and (%(sku)s::text is null or lower(stock.sku::text) = lower(%(sku)s))
