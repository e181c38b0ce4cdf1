-- Units of a SKU ordered in the last 30 days, without what was never paid or was cancelled.
-- :account, :skus
select coalesce(sum(quantity), 0) as units
from backmarket.order_lines
where
    account = %(account)s and sku = any(%(skus)s) and date_creation >= now() - interval '30 days'
    and state not in (4, 7) and gone_at is null
