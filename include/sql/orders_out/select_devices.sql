-- Devices whose order is not known here, or has a line that lacks or contradicts what the row says.
-- :account
select device.order_id::bigint, device.orderline_id::bigint, device.sku, device.imei, device.serial_number
from seller.devices as device
left join backmarket.orders as orders
    on device.account = orders.account and device.order_id::bigint = orders.order_id
where
    device.account = %(account)s
    and (
        orders.order_id is null
        or exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = device.account
                and line.order_id = device.order_id::bigint
                and line.gone_at is null
                and (device.orderline_id is null or line.orderline_id = device.orderline_id::bigint)
                and (
                    (nullif(btrim(device.imei), '') is not null and device.imei is distinct from line.imei)
                    or (
                        nullif(btrim(device.serial_number), '') is not null
                        and device.serial_number is distinct from line.serial_number
                    )
                    or (
                        line.imei is null
                        and line.serial_number is null
                        and coalesce(btrim(device.imei), '') = ''
                        and coalesce(btrim(device.serial_number), '') = ''
                    )
                )
        )
        or not exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = device.account
                and line.order_id = device.order_id::bigint
                and (device.orderline_id is null or line.orderline_id = device.orderline_id::bigint)
        )
    )
order by orders.expected_dispatch_date asc nulls last, device.order_id::bigint asc
