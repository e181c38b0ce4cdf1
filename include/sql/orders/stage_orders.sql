-- Where downloaded pages wait until all have arrived; gone with the session, so a crash leaves nothing behind.
create temporary table staged_orders (
    read_no bigint not null,
    read_at timestamptz not null,
    order_id bigint not null,
    state integer not null,
    country_code text,
    currency text,
    price numeric,
    shipping_price numeric,
    sales_taxes numeric,
    payment_method text,
    tracking_number text,
    tracking_url text,
    shipper text,
    is_backship boolean,
    delivery_note text,
    date_creation timestamptz,
    date_modification timestamptz,
    date_payment timestamptz,
    date_shipping timestamptz,
    expected_dispatch_date timestamptz,
    document jsonb not null
)
