-- name: confirm_devices_shown
-- Registrations that counted as refused, as nothing showed them at the first look, and that their lines show by now.
-- :account
update backmarket.changes as change
set
    status = 'confirmed',
    reason = 'shown since. Before: ' || change.reason,
    refused_in = null,
    confirmed_at = clock_timestamp()
from backmarket.order_lines as line
where
    change.account = %(account)s and change.kind = 'imei' and change.status = 'refused' and change.attempts > 0
    and line.account = change.account and line.orderline_id = (change.payload ->> 'orderline_id')::bigint
    and line.gone_at is null
    and (change.payload ->> 'imei' is null or change.payload ->> 'imei' = line.imei)
    and (change.payload ->> 'serial_number' is null or change.payload ->> 'serial_number' = line.serial_number)
returning change.subject;

-- name: select_aliases
-- The seller's own names of carriers.
-- :account
select alias::text, shipper::text from seller.shipper_aliases where account::text = %(account)s order by alias::text;

-- name: select_desk
-- How many open orders wait for what.
-- :account
select coalesce(waits_for, 'nothing'), count(*)
from backmarket.order_desk
where account = %(account)s
group by 1
order by 2 desc, 1;

-- name: select_device_lines
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
    );

-- name: select_late
-- Open orders that the seller has to ship within so many hours, or had to; the latest first.
-- :account, :hours
select order_id, waits_for, reason, ship_by, hours_left, coalesce(is_backship, false)
from backmarket.order_desk
where
    account = %(account)s
    and waits_for in ('stock', 'acceptance', 'shipment', 'tracking')
    and ship_by < now() + make_interval(hours => %(hours)s)
order by ship_by, order_id;

-- name: select_order_facts
-- Orders as they were last read, a row per line; lines and orders that Back Market serves no more are left out.
-- :account, :order_ids
--
-- What Back Market says of is_backship and could not be read is null here, and such a tracking number is its raw text.
select
    orders.order_id,
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
order by orders.order_id, line.orderline_id;

-- name: select_orders_of_lines
-- The orders of some lines.
-- :account, :orderline_ids
select orderline_id, order_id
from backmarket.order_lines
where account = %(account)s and orderline_id = any(%(orderline_ids)s) and gone_at is null;

-- name: select_orders_to_read
-- Numbers of orders, as texts, that a table of the seller names and that are unknown here, were not there when last asked
-- for, or were not wholly accepted when last read.
-- :account; {table}
select distinct named.order_id::text
from {table} as named
left join backmarket.orders as orders
    on orders.account = %(account)s and backmarket.whole_number(named.order_id::text) = orders.order_id
where
    named.account::text = %(account)s
    and named.order_id is not null
    and (
        orders.order_id is null
        or orders.gone_at is not null
        or orders.order_id in (
            select line.order_id
            from backmarket.order_lines as line
            where line.account = %(account)s and line.gone_at is null and line.state in (0, 1, 8, 9)
        )
    );

-- name: select_paid_orders
-- Orders with a line that is paid and not accepted.
-- :account
select distinct line.order_id
from backmarket.order_lines as line
inner join backmarket.orders as orders using (account, order_id)
where line.account = %(account)s and line.state = 1 and line.gone_at is null and orders.gone_at is null;

-- name: select_shipments
-- Shipments of orders that are not finished, or not known here, as texts; the most urgent first.
-- :account
select
    shipment.order_id::text,
    nullif(btrim(shipment.tracking_number::text), ''),
    nullif(btrim(shipment.tracking_url::text), ''),
    nullif(btrim(shipment.shipper::text), ''),
    shipment.shipped_at::text
from seller.shipments as shipment
left join backmarket.orders as orders
    on orders.account = %(account)s and backmarket.whole_number(shipment.order_id::text) = orders.order_id
where
    shipment.account::text = %(account)s
    and (orders.order_id is null or orders.state <> 9 or orders.date_shipping is null)
order by orders.expected_dispatch_date asc nulls last, orders.order_id asc nulls last, shipment.order_id::text asc;
