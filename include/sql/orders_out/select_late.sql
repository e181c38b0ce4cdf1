-- Open orders that the seller has to ship within so many hours, or had to; the latest first.
-- :account, :hours
select order_id, waits_for, reason, ship_by, hours_left
from backmarket.order_desk
where
    account = %(account)s
    and waits_for in ('stock', 'acceptance', 'shipment', 'tracking')
    and ship_by < now() + make_interval(hours => %(hours)s)
order by ship_by, order_id
