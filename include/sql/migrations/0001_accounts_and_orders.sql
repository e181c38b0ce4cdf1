-- What the first working slice keeps: accounts, watermarks, orders, lines, addresses, and what could not be read.
-- Times are timestamptz in UTC, money is numeric in the row's currency, quantities are units.

create table backmarket.accounts (
    account text primary key,
    host text not null,
    token_fingerprint text not null,
    claimed_at timestamptz not null default now(),
    platform text,
    token_valid boolean,
    checked_at timestamptz,
    check_details jsonb
);

-- One integration per Back Market account: a second name for the same account would download everything twice.
create unique index accounts_one_integration on backmarket.accounts (host, token_fingerprint);

create table backmarket.sync_state (
    account text not null,
    concern text not null,
    market text not null default '',
    watermark timestamptz,
    succeeded_at timestamptz,
    counts jsonb,
    primary key (account, concern, market)
);

comment on column backmarket.sync_state.watermark is
'Everything modified on Back Market up to this moment is stored. Null: this concern has no watermark.';

create table backmarket.orders (
    account text not null,
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
    document jsonb not null,
    first_seen_at timestamptz not null,
    read_at timestamptz not null,
    gone_at timestamptz,
    primary key (account, order_id)
);

comment on column backmarket.orders.document is 'As Back Market sent it, without addresses.';
comment on column backmarket.orders.read_at is 'When the stored document was read from Back Market.';
comment on column backmarket.orders.gone_at is
'Since when Back Market no longer serves an order that was open here; null while it does.';

create index orders_by_state on backmarket.orders (account, state) where gone_at is null;
create index orders_by_creation on backmarket.orders (account, date_creation);
create index orders_by_shipping on backmarket.orders (account, date_shipping);

create table backmarket.order_lines (
    account text not null,
    orderline_id bigint not null,
    order_id bigint not null,
    sku text,
    listing_id bigint,
    quantity integer not null,
    price numeric,
    shipping_price numeric,
    currency text,
    state integer not null,
    orderline_fee numeric,
    sales_taxes numeric,
    return_reason integer,
    return_message text,
    imei text,
    serial_number text,
    product text,
    product_id bigint,
    brand text,
    condition integer,
    backcare boolean,
    backcare_price_cents bigint,
    date_creation timestamptz,
    first_seen_at timestamptz not null,
    first_seen_state integer not null,
    accepted_seen_at timestamptz,
    gone_at timestamptz,
    primary key (account, orderline_id),
    foreign key (account, order_id) references backmarket.orders (account, order_id)
);

comment on column backmarket.order_lines.accepted_seen_at is
'The earliest moment known by which the line was accepted: first seen so, shipped, or modified; null before.';
comment on column backmarket.order_lines.gone_at is
'Since when newer documents of the order no longer list this line; null while they do.';

create index order_lines_by_order on backmarket.order_lines (account, order_id);
create index order_lines_by_sku on backmarket.order_lines (account, sku, state);

create table backmarket.order_addresses (
    account text not null,
    order_id bigint not null,
    kind text not null check (kind in ('shipping', 'billing')),
    first_name text,
    last_name text,
    first_name_pronunciation text,
    last_name_pronunciation text,
    company text,
    street text,
    street2 text,
    postal_code text,
    city text,
    state text,
    country text,
    phone text,
    email text,
    customer_id_number text,
    primary key (account, order_id, kind),
    foreign key (account, order_id) references backmarket.orders (account, order_id)
);

comment on table backmarket.order_addresses is
'The only table with personal data besides quarantine; purged after backmarket_pii_retention_days.';

create table backmarket.quarantine (
    account text not null,
    entity text not null,
    key text not null,
    document jsonb not null,
    reason text not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    primary key (account, entity, key)
);

comment on table backmarket.quarantine is
'What came in and could not be understood, whole. A row leaves when its document is understood. Personal data.';
