-- What the seller's own systems say of an order's parcel.
-- :account, :order_id
select
    shipped_at as at,
    'seller' as source,
    'handed to the carrier' as what,
    concat_ws(' · ', shipper, tracking_number) as detail
from seller.shipments
where account = %(account)s and order_id = %(order_id)s and shipped_at is not null
