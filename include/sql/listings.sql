-- name: confirm_appeared
-- Sent, waited for in vain and put back into the queue; its listing has appeared since.
-- :account, :kind
update backmarket.changes as change
set status = 'confirmed', reason = 'its listing appeared late', confirmed_at = clock_timestamp()
from backmarket.listings as listing
where
    change.account = %(account)s and change.kind = %(kind)s
    and change.status = 'planned' and change.attempts > 0
    and listing.account = change.account and backmarket.sku_key(listing.sku) = backmarket.sku_key(change.subject) and listing.gone_at is null;

-- name: copy_listings
-- One row per reading of a listing in one market.
copy staged_listings (
    read_at, market, id, listing_id, sku, product_id, backmarket_id, title, grade, state, quantity, warranty_delay,
    new_battery, price, currency, min_price, max_price, publication_state, comment, document
) from stdin;

-- name: delete_categories
-- Make room for a tree that was read anew.
-- :account, :market
delete from backmarket.categories
where account = %(account)s and market = %(market)s;

-- name: delete_checks
-- Forget what the last run found of one kind of rows.
-- :account, :kind
delete from backmarket.catalog_checks
where account = %(account)s and kind = %(kind)s;

-- name: insert_category
-- One leaf of the tree; of two with one number the first stays.
-- :account, :market, :category_id, :tree_id, :name, :attributes, :read_at
insert into backmarket.categories (account, market, category_id, tree_id, name, attributes, read_at)
values (%(account)s, %(market)s, %(category_id)s, %(tree_id)s, %(name)s, %(attributes)s, %(read_at)s)
on conflict (account, market, category_id) do nothing;

-- name: select_catalog
-- What the seller wants to be on sale, as texts: each row is judged by itself.
-- :account
select
    sku::text, ean::text, product_id::text, quantity::text, price::text, currency::text, market::text, grade::text,
    warranty_delay::text, comment::text, category_id::text, title::text, description::text, brand::text,
    price_new::text, weight::text, images::text, attributes::text
from seller.catalog
where account::text = %(account)s
order by sku::text;

-- name: select_categories
-- The leaf categories of a market.
-- :account, :market
select category_id, tree_id, name, attributes
from backmarket.categories
where account = %(account)s and market = %(market)s;

-- name: select_categories_age
-- When a market's category tree was read; null where it never was.
-- :account, :market
select min(read_at)
from backmarket.categories
where account = %(account)s and market = %(market)s;

-- name: select_listed_skus
-- The SKUs that have a listing, in lower case: Back Market matches them so.
-- :account
select distinct backmarket.sku_key(sku)
from backmarket.listings
where account = %(account)s and gone_at is null and sku is not null;

-- name: select_proposed_skus
-- The SKUs of seller.catalog, in lower case.
-- :account
select distinct backmarket.sku_key(sku::text)
from seller.catalog
where account::text = %(account)s and sku is not null;

-- name: select_refused
-- What Back Market itself refused, where nothing newer is recorded of the SKU.
-- :account, :kind
select subject, payload, reason
from (
    select distinct on (subject) subject, payload, reason, status
    from backmarket.changes
    where account = %(account)s and kind = %(kind)s and (attempts > 0 or status = 'refused')
    order by subject asc, change_id desc
) as newest
where
    status = 'refused'
    and exists (
        select 1
        from backmarket.changes as sent
        where
            sent.account = %(account)s and sent.kind = %(kind)s and sent.subject = newest.subject
            and sent.status = 'refused' and sent.attempts > 0 and sent.payload = newest.payload
    );

-- name: select_under_way
-- The SKUs, in lower case, of which it is not known yet whether their listing was created.
-- :account
select distinct backmarket.sku_key(subject)
from backmarket.changes
where account = %(account)s and kind in ('listing', 'product') and status in ('sent', 'unknown');

-- name: settle_listed
-- A lookup before sending found a listing: sending would overwrite it. Where a line was sent before, it is ours.
-- :account, :change_ids
update backmarket.changes
set
    status = case when attempts > 0 then 'confirmed' else 'superseded' end,
    reason = case
        when attempts > 0 then 'its listing appeared late' else 'Back Market has a listing of this SKU already'
    end,
    confirmed_at = case when attempts > 0 then clock_timestamp() end
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned';

-- name: stage_listings
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
);

-- name: upsert_check
-- What this run found of a row of seller.catalog.
-- :account, :sku, :kind, :market, :verdict, :reasons
insert into backmarket.catalog_checks (account, sku, kind, market, verdict, reasons)
values (%(account)s, %(sku)s, %(kind)s, %(market)s, %(verdict)s, %(reasons)s)
on conflict (account, sku) do update set
    kind = excluded.kind,
    market = excluded.market,
    verdict = excluded.verdict,
    reasons = excluded.reasons,
    checked_at = excluded.checked_at;
