-- The moment from which on some count does not know of orders; null without stock.
-- :account
select min(least((to_jsonb(stock) ->> 'orders_known_until')::timestamptz, counted_at::timestamptz)) as oldest
from seller.stock as stock
where account = %(account)s
