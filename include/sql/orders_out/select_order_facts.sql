-- Orders as they were last read, a row per line; lines and orders that Back Market serves no more are left out.
-- :account, :order_ids
--
-- What Back Market says of is_backship and could not be read is null here, and such a tracking number is its raw text.
select
    orders.order_id, orders.state,
    coalesce(
        orders.is_backship, case when coalesce(btrim(orders.document ->> 'is_backship'), '') = '' then false end
    ),
    coalesce(orders.tracking_number, nullif(btrim(orders.document ->> 'tracking_number'), '')),
    orders.date_payment, orders.expected_dispatch_date,
    line.orderline_id, line.state, line.quantity, line.sku, line.imei, line.serial_number, line.product
from backmarket.orders as orders
inner join backmarket.order_lines as line using (account, order_id)
where
    orders.account = %(account)s
    and orders.order_id = any(%(order_ids)s)
    and orders.gone_at is null
    and line.gone_at is null
order by orders.order_id, line.orderline_id
