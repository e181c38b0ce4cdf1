-- Every SKU with stock, and the listings it has, in any case of letters.
-- :account
select
    stock.sku,
    stock.quantity,
    stock.counted_at,
    stock.safety_qty,
    stock.max_qty,
    stock.orders_known_until,
    listing.id,
    listing.quantity as shown,
    listing.read_at
from seller.stock as stock
inner join backmarket.listings as listing
    on stock.account = listing.account and lower(stock.sku) = lower(listing.sku) and listing.gone_at is null
where stock.account = %(account)s and listing.quantity is not null
order by stock.sku, listing.id
