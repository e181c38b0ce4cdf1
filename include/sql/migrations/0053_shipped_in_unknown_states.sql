-- A line whose state is not known was accepted by the time its order was shipped, as merge_orders says from now on.
update backmarket.order_lines as line
set accepted_seen_at = least(orders.read_at, orders.date_shipping, orders.date_modification)
from backmarket.orders
where
    line.account = orders.account and line.order_id = orders.order_id
    and line.accepted_seen_at is null and line.state not between 0 and 9
    and orders.date_shipping is not null;
