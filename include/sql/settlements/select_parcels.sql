-- The orders of tracking numbers.
-- :account, :tracking_numbers
select tracking_number, min(order_id)
from backmarket.orders
where account = %(account)s and tracking_number = any(%(tracking_numbers)s)
group by tracking_number
