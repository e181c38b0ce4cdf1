-- One row per line of a downloaded order document.
copy staged_order_lines (
    read_no, order_id, orderline_id, sku, listing_id, quantity, price, shipping_price, currency, state,
    orderline_fee, sales_taxes, return_reason, return_message, imei, serial_number, product, product_id,
    brand, condition, backcare, backcare_price_cents, date_creation
) from stdin
