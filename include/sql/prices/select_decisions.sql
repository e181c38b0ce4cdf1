-- What people decided about moves of prices in these markets, and lately enough to hold.
-- :account, :markets, :decided_since
select sku, market, old_price, new_price, status
from backmarket.price_approvals
where
    account = %(account)s and market = any(%(markets)s) and status <> 'asked'
    and decided_at >= %(decided_since)s
