-- One order.
-- :account, :order_id
select
    order_id, state, country_code, currency, price, shipping_price, payment_method, shipper, tracking_number,
    is_backship, expected_dispatch_date, date_shipping, read_at, gone_at
from backmarket.orders
where account = %(account)s and order_id = %(order_id)s
