-- The moment from which on some count does not know of orders; null without stock.
-- :account
select min(least(orders_known_until, counted_at)) as oldest
from seller.stock
where account = %(account)s
