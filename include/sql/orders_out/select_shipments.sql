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
    on shipment.account::text = orders.account
    and backmarket.plain_number(shipment.order_id::text) = orders.order_id::text
where
    shipment.account::text = %(account)s
    and (orders.order_id is null or orders.state <> 9 or orders.date_shipping is null)
order by orders.expected_dispatch_date asc nulls last, orders.order_id asc nulls last, shipment.order_id::text asc
