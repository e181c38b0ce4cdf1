-- One row per downloaded order document.
copy staged_orders (
    read_no, read_at, order_id, state, country_code, currency, price, shipping_price, sales_taxes,
    payment_method, tracking_number, tracking_url, shipper, is_backship, delivery_note,
    date_creation, date_modification, date_payment, date_shipping, expected_dispatch_date, document
) from stdin
