-- How a SKU is spelled here: listings and stock match in any case of letters.
-- :account, :sku
select sku
from backmarket.listings
where account = %(account)s and backmarket.sku_key(sku) = backmarket.sku_key(%(sku)s)
group by sku
