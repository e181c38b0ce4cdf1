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

create table backmarket.categories (
    account text not null,
    market text not null,
    category_id bigint not null,
    tree_id bigint,
    name text,
    attributes jsonb not null,
    read_at timestamptz not null,
    primary key (account, market, category_id)
);

comment on table backmarket.categories is
'The leaves of Back Market''s category tree, kept for a day: what a new product of each needs.';
comment on column backmarket.categories.category_id is
'What a product''s category_id means: the leaf''s marketplace_category_id, not its category_id in the tree.';
comment on column backmarket.categories.tree_id is 'The leaf''s category_id in the tree.';

create table backmarket.catalog_checks (
    account text not null,
    sku text not null,
    kind text not null check (kind in ('listing', 'product')),
    market text,
    verdict text not null check (verdict in ('listed', 'under way', 'ready', 'refused')),
    reasons text [] not null,
    checked_at timestamptz not null default now(),
    primary key (account, sku)
);

comment on table backmarket.catalog_checks is 'What the last run found of each row of seller.catalog.';

-- Without seller.catalog in it, so that a view of the same name can take that table's place.
create view backmarket.catalog_readiness as
select
    checked.account,
    checked.sku,
    checked.kind,
    checked.market,
    checked.verdict,
    checked.reasons,
    checked.checked_at,
    change.status as last_status,
    change.reason as last_reason,
    change.attempts,
    change.batch_id,
    change.sent_at,
    listing.id as listing_id
from backmarket.catalog_checks as checked
left join lateral (
    select newest.status, newest.reason, newest.attempts, newest.batch_id, newest.sent_at
    from backmarket.changes as newest
    where
        newest.account = checked.account and newest.kind = checked.kind
        and newest.subject = checked.sku and newest.market = ''
    order by newest.change_id desc
    limit 1
) as change on true
left join lateral (
    select present.id
    from backmarket.listings as present
    where present.account = checked.account and lower(present.sku) = lower(checked.sku) and present.gone_at is null
    limit 1
) as listing on true;

comment on view backmarket.catalog_readiness is
'Per SKU of seller.catalog: is it listed, ready to be sent, or refused, with all reasons; and how its last sending
ended.';
