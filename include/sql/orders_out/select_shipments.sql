-- Shipments of orders that are not finished, or not known here; the most urgent first.
-- :account
select
    shipment.order_id::bigint,
    nullif(btrim(shipment.tracking_number), ''),
    nullif(btrim(shipment.tracking_url), ''),
    nullif(btrim(shipment.shipper), ''),
    shipment.shipped_at::timestamptz
from seller.shipments as shipment
left join backmarket.orders as orders
    on shipment.account = orders.account and shipment.order_id::bigint = orders.order_id
where
    shipment.account = %(account)s
    and (orders.order_id is null or orders.state <> 9 or orders.date_shipping is null)
order by orders.expected_dispatch_date asc nulls last, shipment.order_id::bigint asc
