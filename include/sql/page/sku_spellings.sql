-- How a SKU is spelled here: listings and stock match in any case of letters.
-- :account, :sku
select sku
from backmarket.listings
where account = %(account)s and lower(sku) = lower(%(sku)s)
group by sku
