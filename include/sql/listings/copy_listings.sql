-- One row per reading of a listing in one market.
copy staged_listings (
    read_at, market, id, listing_id, sku, product_id, backmarket_id, title, grade, state, quantity, warranty_delay,
    new_battery, price, currency, min_price, max_price, publication_state, comment, document
) from stdin
