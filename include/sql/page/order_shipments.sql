-- What the seller's own systems say of an order's parcel; the time as text, as it may be none.
-- :account, :order_id
select
    shipped_at::text as at,
    'seller' as source,
    'handed to the carrier' as what,
    concat_ws(' · ', shipper::text, tracking_number::text) as detail
from seller.shipments
where
    account::text = %(account)s
    and regexp_replace(btrim(order_id::text, E' \t\r\n'), '\.0+$', '') = %(order_id)s::text
    and shipped_at is not null
