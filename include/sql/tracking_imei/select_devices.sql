-- Devices, as texts, of which no line is known here, or whose line lacks or contradicts what the row says.
-- :account
with given as (
    select
        row_number() over () as place,
        device.order_id::text as order_id,
        device.orderline_id::text as orderline_id,
        device.sku::text as sku,
        device.imei::text as imei,
        device.serial_number::text as serial_number,
        backmarket.whole_number(device.order_id::text) as order_number,
        nullif(btrim(device.imei::text), '') as some_imei,
        nullif(btrim(device.serial_number::text), '') as some_serial_number
    from seller.devices as device
    where device.account::text = %(account)s
),

wanted as (
    select distinct given.place
    from given
    left join backmarket.order_lines as line
        on
            line.account = %(account)s
            and given.order_number = line.order_id
            and (given.orderline_id is null or backmarket.whole_number(given.orderline_id) = line.orderline_id)
    where
        line.orderline_id is null
        or (
            line.gone_at is null
            and (
                (given.some_imei is not null and given.imei is distinct from line.imei)
                or (given.some_serial_number is not null and given.serial_number is distinct from line.serial_number)
                or coalesce(line.imei, line.serial_number, given.some_imei, given.some_serial_number) is null
            )
        )
)

select given.order_id, given.orderline_id, given.sku, given.imei, given.serial_number
from given
left join backmarket.orders as orders on orders.account = %(account)s and given.order_number = orders.order_id
where given.place in (select wanted.place from wanted)
order by orders.expected_dispatch_date asc nulls last, orders.order_id asc nulls last, given.order_id asc;
