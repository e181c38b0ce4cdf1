-- An open order that Back Market answers 404 for: it was most likely never paid (state 8 is served to no one).
-- :account, :order_ids
update backmarket.orders
set gone_at = now()
where account = %(account)s and order_id = any(%(order_ids)s) and gone_at is null
