-- When each SKU was counted, and up to when the count knows of orders, as texts.
-- :account, :sku (null for all)
select backmarket.sku_key(stock.sku::text), stock.counted_at::text, to_jsonb(stock) ->> 'orders_known_until'
from seller.stock as stock
where
    stock.account::text = %(account)s
    and stock.sku is not null
    and (%(sku)s::text is null or backmarket.sku_key(stock.sku::text) = backmarket.sku_key(%(sku)s))
