-- Inventory and prices: the arithmetic of each SKU, what listings were last known to show, and what was found.

create table backmarket.inventory (
    account text not null,
    sku text not null,
    id uuid not null,
    stock integer not null,
    reserved integer not null,
    held integer not null,
    safety_qty integer not null,
    max_qty integer,
    sellable integer not null,
    shown integer not null,
    wanted integer not null,
    reason text,
    planned_at timestamptz not null,
    primary key (account, sku)
);

comment on table backmarket.inventory is 'How the newest plan came to each quantity; one row per SKU with stock.';
comment on column backmarket.inventory.held is 'Units gone from the listing that no visible order explains.';
comment on column backmarket.inventory.shown is 'What Back Market showed when the plan was made.';
comment on column backmarket.inventory.reason is 'Why a quantity is not sent although it differs; null otherwise.';

create table backmarket.listing_baselines (
    account text not null,
    id uuid not null,
    quantity integer not null,
    maybe integer,
    maybe_at timestamptz,
    known_at timestamptz not null,
    primary key (account, id)
);

comment on table backmarket.listing_baselines is
'What each listing was last known to show: as read, or as sent and confirmed. Readings are compared with it.';
comment on column backmarket.listing_baselines.maybe is 'Sent without an answer: the listing shows this or quantity.';

create table backmarket.listing_drops (
    account text not null,
    id uuid not null,
    seen_from timestamptz not null,
    seen_at timestamptz not null,
    units integer not null,
    primary key (account, id, seen_from, seen_at)
);

comment on table backmarket.listing_drops is 'Units that went from a listing between two moments, less those that came back.';

create table backmarket.inventory_findings (
    account text not null,
    kind text not null check (
        kind in (
            'stock_missing', 'stock_stale', 'promised_too_much', 'sku_ambiguous', 'held_by_zero_guard',
            'quantity_changed_outside', 'price_changed_outside'
        )
    ),
    sku text not null,
    market text not null default '',
    detail text not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    primary key (account, kind, sku, market)
);

comment on table backmarket.inventory_findings is
'What a person should know about stock and prices. States leave when they end; changes made outside stay.';

create table backmarket.price_approvals (
    account text not null,
    sku text not null,
    market text not null,
    old_price numeric not null,
    new_price numeric not null,
    currency text not null,
    reason text not null,
    status text not null check (status in ('asked', 'approved', 'refused', 'expired')),
    run_id text not null,
    asked_at timestamptz not null default now(),
    decided_at timestamptz,
    decided_by text,
    primary key (account, sku, market, old_price, new_price)
);

comment on table backmarket.price_approvals is
'Large moves of prices that a person was asked about. A decision holds for exactly this move, old price and new.';
