-- What a SKU should cost and what it is listed for, by market.
-- :account, :sku
select market, price, currency, min_price
from seller.prices
where account = %(account)s and sku = %(sku)s
order by market
