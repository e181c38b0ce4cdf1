-- Orders that are open here (10 payment pending, 1 to accept, 3 to ship), oldest first.
-- :account
select order_id
from backmarket.orders
where account = %(account)s and state in (10, 1, 3) and gone_at is null
order by date_creation, order_id
