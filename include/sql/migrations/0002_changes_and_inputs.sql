-- The ledger of everything written to Back Market, and the tables that the seller's own systems fill.

create table backmarket.changes (
    account text not null,
    change_id bigint generated always as identity,
    kind text not null check (kind in ('accept', 'tracking', 'imei', 'quantity', 'price', 'listing', 'product')),
    subject text not null,
    market text not null default '',
    payload jsonb not null,
    status text not null check (
        status in (
            'planned', 'awaiting_approval', 'sent', 'confirmed', 'refused', 'unknown', 'dry_run', 'superseded'
        )
    ),
    reason text,
    attempts integer not null default 0,
    run_id text,
    batch_id bigint,
    planned_at timestamptz not null default now(),
    sent_at timestamptz,
    confirmed_at timestamptz,
    primary key (account, change_id)
);

comment on table backmarket.changes is
'Every write to Back Market: recorded before it is sent, settled by what Back Market then shows.';
comment on column backmarket.changes.subject is
'The SKU for quantity, price, listing and product; the order id for tracking; the orderline id for accept and imei.';
comment on column backmarket.changes.market is 'The market of a price; empty for what all markets share.';
comment on column backmarket.changes.status is
'planned and awaiting_approval: not sent. sent and unknown: may have been applied, read back before anything else.
confirmed, refused, dry_run (never sent) and superseded (a newer plan took its place): final.';
comment on column backmarket.changes.batch_id is 'Back Market''s task for a change sent in a batch.';

-- At most one change of a kind is under way for a subject: what keeps two runs from sending the same thing.
create unique index changes_one_under_way on backmarket.changes (account, kind, subject, market)
where status in ('planned', 'awaiting_approval', 'sent', 'unknown', 'dry_run');
create index changes_by_subject on backmarket.changes (account, kind, subject, market, change_id desc);
create index changes_by_time on backmarket.changes (account, sent_at);

-- A table or view that the seller's systems have put in place already stays as it is.
do $$
begin
    if to_regclass('seller.stock') is null then
        create table seller.stock (
            account text not null default 'default',
            sku text not null,
            quantity integer not null,
            counted_at timestamptz not null,
            safety_qty integer,
            max_qty integer,
            orders_known_until timestamptz,
            primary key (account, sku)
        );

        comment on column seller.stock.quantity is
        'Units on the shelf and promised to nobody at counted_at: without those of orders taken in by then.';
        comment on column seller.stock.orders_known_until is
        'Up to when the count knows of orders; null: counted_at less backmarket_stock_intake_lag_minutes.';
    end if;

    if to_regclass('seller.prices') is null then
        create table seller.prices (
            account text not null default 'default',
            sku text not null,
            market text not null,
            price numeric not null,
            currency text not null,
            min_price numeric,
            primary key (account, sku, market)
        );

        comment on column seller.prices.min_price is 'A floor kept here; it is never sent.';
    end if;

    if to_regclass('seller.shipments') is null then
        -- No primary key: a second shipment for an order is something to report, not to refuse at the door.
        create table seller.shipments (
            account text not null default 'default',
            order_id bigint not null,
            tracking_number text,
            tracking_url text,
            shipper text,
            shipped_at timestamptz
        );
        create index shipments_by_order on seller.shipments (account, order_id);
    end if;

    if to_regclass('seller.devices') is null then
        create table seller.devices (
            account text not null default 'default',
            order_id bigint not null,
            orderline_id bigint,
            sku text,
            imei text,
            serial_number text
        );
        create index devices_by_order on seller.devices (account, order_id);

        comment on column seller.devices.orderline_id is 'Null where the SKU is unique in the order.';
    end if;

    if to_regclass('seller.catalog') is null then
        create table seller.catalog (
            account text not null default 'default',
            sku text not null,
            ean text,
            product_id text,
            quantity integer,
            price numeric,
            currency text,
            market text,
            grade text,
            warranty_delay integer,
            comment text,
            category_id bigint,
            title text,
            description text,
            brand text,
            price_new numeric,
            weight numeric,
            images jsonb,
            attributes jsonb,
            primary key (account, sku)
        );

        comment on column seller.catalog.warranty_delay is 'In months.';
        comment on column seller.catalog.weight is 'In grams.';
        comment on column seller.catalog.images is 'A JSON list of up to six URLs.';
        comment on column seller.catalog.attributes is 'A JSON object: the leaf category''s attributes by field name.';
    end if;
end $$;
