-- Devices, as texts, whose order is not known here, or has a line that lacks or contradicts what the row says.
-- :account
select
    device.order_id::text,
    device.orderline_id::text,
    device.sku::text,
    device.imei::text,
    device.serial_number::text
from seller.devices as device
left join backmarket.orders as orders
    on device.account::text = orders.account
    and backmarket.plain_number(device.order_id::text) = orders.order_id::text
where
    device.account::text = %(account)s
    and (
        orders.order_id is null
        or exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = orders.account
                and line.order_id = orders.order_id
                and line.gone_at is null
                and (
                    device.orderline_id is null
                    or backmarket.plain_number(device.orderline_id::text) = line.orderline_id::text
                )
                and (
                    (nullif(btrim(device.imei::text), '') is not null and device.imei::text is distinct from line.imei)
                    or (
                        nullif(btrim(device.serial_number::text), '') is not null
                        and device.serial_number::text is distinct from line.serial_number
                    )
                    or (
                        line.imei is null
                        and line.serial_number is null
                        and coalesce(btrim(device.imei::text), '') = ''
                        and coalesce(btrim(device.serial_number::text), '') = ''
                    )
                )
        )
        or not exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = orders.account
                and line.order_id = orders.order_id
                and (
                    device.orderline_id is null
                    or backmarket.plain_number(device.orderline_id::text) = line.orderline_id::text
                )
        )
    )
order by orders.expected_dispatch_date asc nulls last, orders.order_id asc nulls last, device.order_id::text asc;
