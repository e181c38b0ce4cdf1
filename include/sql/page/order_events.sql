-- What Back Market's document of an order tells, by time.
-- :account, :order_id
select event.at, 'document' as source, event.what, '' as detail
from backmarket.orders as orders
cross join lateral (
    values
    (orders.date_creation, 'ordered'),
    (orders.date_payment, 'paid'),
    (orders.first_seen_at, 'first downloaded'),
    (orders.date_shipping, 'shipped'),
    (orders.date_modification, 'last modified on Back Market'),
    (orders.read_at, 'stored document read'),
    (orders.gone_at, 'no longer served by Back Market')
) as event (at, what)
where orders.account = %(account)s and orders.order_id = %(order_id)s and event.at is not null
union all
select line.accepted_seen_at, 'document', 'seen accepted', concat('line ', line.orderline_id, ' · ', line.sku)
from backmarket.order_lines as line
where line.account = %(account)s and line.order_id = %(order_id)s and line.accepted_seen_at is not null
