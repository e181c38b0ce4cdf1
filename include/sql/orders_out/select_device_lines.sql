-- Lines that have one of these IMEIs or serial numbers, and the lines named: when their orders were shipped, and
-- whether statements refund so much of the order that at least half of the line's price must be in it.
-- :account, :imeis, :serial_keys, :orderline_ids
select
    line.orderline_id,
    line.order_id,
    line.state,
    coalesce(orders.date_shipping, orders.date_modification, orders.date_creation),
    coalesce(refund.total >= orders.price - line.price / 2, false),
    line.imei,
    backmarket.serial_key(line.serial_number)
from backmarket.order_lines as line
inner join backmarket.orders as orders using (account, order_id)
left join lateral (
    select -sum(row_of_order.amount) as total
    from backmarket.settlement_lines as row_of_order
    where
        row_of_order.account = line.account
        and row_of_order.order_id = line.order_id
        and row_of_order.role = 'refund'
        and not row_of_order.vanished
) as refund on true
where
    line.account = %(account)s
    and line.gone_at is null
    and (
        line.imei = any(%(imeis)s)
        or (line.serial_number is not null and backmarket.serial_key(line.serial_number) = any(%(serial_keys)s))
        or line.orderline_id = any(%(orderline_ids)s)
    )
