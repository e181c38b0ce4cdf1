-- What people decided about moves of prices in these markets.
-- :account, :markets
select sku, market, old_price, new_price, status
from backmarket.price_approvals
where account = %(account)s and market = any(%(markets)s) and status <> 'asked'
