-- Where readings of listings wait until all have arrived; gone with the session, so a crash leaves nothing behind.
create temporary table if not exists staged_listings (
    read_no bigint generated always as identity,
    read_at timestamptz not null,
    market text not null,
    id uuid not null,
    listing_id bigint,
    sku text,
    product_id text,
    backmarket_id bigint,
    title text,
    grade text,
    state integer,
    quantity integer,
    warranty_delay integer,
    new_battery boolean,
    price numeric,
    currency text,
    min_price numeric,
    max_price numeric,
    publication_state integer,
    comment text,
    document jsonb not null
)
