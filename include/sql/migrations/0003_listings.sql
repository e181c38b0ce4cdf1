-- Listings: what is global in one table, what belongs to a market in another, and each change of an offer by time.

create table backmarket.listings (
    account text not null,
    id uuid not null,
    listing_id bigint,
    sku text,
    product_id text,
    backmarket_id bigint,
    title text,
    title_market text not null,
    grade text,
    state integer,
    quantity integer,
    warranty_delay integer,
    new_battery boolean,
    first_seen_at timestamptz not null,
    read_at timestamptz not null,
    gone_at timestamptz,
    primary key (account, id)
);

comment on column backmarket.listings.title_market is
'The market whose language the title is in: the one in which the listing was first seen.';
comment on column backmarket.listings.warranty_delay is 'In months.';
comment on column backmarket.listings.read_at is 'When the stored values were read from Back Market.';
comment on column backmarket.listings.gone_at is
'Since when complete reads of all markets no longer hold this listing; null while one does.';

-- Back Market matches SKUs without regard to case.
create index listings_by_sku on backmarket.listings (account, lower(sku));

create table backmarket.listing_offers (
    account text not null,
    id uuid not null,
    market text not null,
    title text,
    price numeric,
    currency text,
    min_price numeric,
    max_price numeric,
    publication_state integer,
    comment text,
    document jsonb not null,
    first_seen_at timestamptz not null,
    read_at timestamptz not null,
    gone_at timestamptz,
    primary key (account, id, market),
    foreign key (account, id) references backmarket.listings (account, id)
);

comment on column backmarket.listing_offers.publication_state is
'0 price or comment missing, 1 pending validation, 2 online, 3 offline, 4 deactivated; others are kept as sent.';
comment on column backmarket.listing_offers.document is 'The listing as this market last showed it, whole.';
comment on column backmarket.listing_offers.gone_at is
'Since when complete reads of this market no longer hold this listing; null while they do.';

create table backmarket.listing_offer_history (
    account text not null,
    id uuid not null,
    market text not null,
    changed_at timestamptz not null,
    price numeric,
    currency text,
    quantity integer,
    publication_state integer,
    gone boolean not null default false,
    primary key (account, id, market, changed_at)
);

comment on table backmarket.listing_offer_history is
'One row per change of price, quantity or publication state of an offer, not per read.';
comment on column backmarket.listing_offer_history.gone is 'From here on the market no longer showed the listing.';
