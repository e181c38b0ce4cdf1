-- Orders that Back Market did not have when it was asked, how often it was, first and last.
-- :account
select order_id, attempts, first_asked_at, asked_at
from backmarket.orders_not_found
where account = %(account)s
