-- The newest creation of each of these SKUs since a moment that may have been applied: with how many units, and when it
-- was sent.
-- :account, :keys (as backmarket.sku_key gives them), :since
select distinct on (backmarket.sku_key(subject))
    backmarket.sku_key(subject) as sku_key,
    (payload -> 'columns' ->> 'quantity')::integer as quantity,
    sent_at
from backmarket.changes
where
    account = %(account)s and kind in ('listing', 'product') and sent_at >= %(since)s
    and status in ('sent', 'unknown', 'planned', 'confirmed')
    and payload -> 'columns' ->> 'quantity' is not null
    and backmarket.sku_key(subject) = any(%(keys)s)
order by backmarket.sku_key(subject) asc, change_id desc
