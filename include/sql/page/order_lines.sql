-- The lines of an order.
-- :account, :order_id
select orderline_id, sku, product, quantity, price, currency, state, orderline_fee, imei, serial_number, gone_at
from backmarket.order_lines
where account = %(account)s and order_id = %(order_id)s
order by orderline_id
