-- name: count_request
-- Count a request of this hour before it is made; no row: the hour's requests are spent.
-- :account, :most
insert into backmarket.backbox_requests as counted (account, hour, requests)
select %(account)s, date_trunc('hour', now()), 1
where %(most)s::integer > 0
on conflict (account, hour) do update set
    requests = counted.requests + 1
where counted.requests < %(most)s::integer
returning counted.requests;

-- name: note_asking
-- Remember that a listing was asked for, and what came of it; no row: what came of a later asking is known.
-- :account, :id, :asked_at, :has_backbox, :reason
insert into backmarket.backbox_askings as stored (account, id, asked_at, has_backbox, reason)
values (%(account)s, %(id)s, %(asked_at)s, %(has_backbox)s, %(reason)s)
on conflict (account, id) do update set
    asked_at = excluded.asked_at,
    has_backbox = excluded.has_backbox,
    reason = excluded.reason
where stored.asked_at <= excluded.asked_at
returning true;

-- name: release_competitors
-- What a listing was answered in a form that is understood now leaves the quarantine.
-- :account, :entity, :id (of the listing), :keys (those that stay)
delete from backmarket.quarantine
where
    account = %(account)s and entity = %(entity)s
    and split_part(key, '/', 1) = %(id)s
    and key <> all(%(keys)s::text []);

-- name: select_candidates
-- Listings that may be asked for: whether they are on sale and in stock, what they sold since a moment, and when they
-- were asked for last.
-- :account, :since
with sold_as_spelled as (
    select sku, sum(quantity) as units
    from backmarket.order_lines
    where account = %(account)s and date_creation >= %(since)s and state not in (4, 7) and gone_at is null
    group by sku
),

sold as (
    select backmarket.sku_key(sku) as sku_key, least(sum(units), 2147483647)::integer as units
    from sold_as_spelled
    group by 1
),

online as (
    select distinct id
    from backmarket.listing_offers
    where account = %(account)s and publication_state = 2 and gone_at is null
)

select
    listing.id,
    coalesce(listing.quantity > 0, false) and online.id is not null as is_on_sale,
    coalesce(sold.units, 0) as units_sold,
    asking.asked_at
from backmarket.listings as listing
left join online on listing.id = online.id
left join sold on backmarket.sku_key(listing.sku) = sold.sku_key
left join backmarket.backbox_askings as asking on listing.account = asking.account and listing.id = asking.id
where listing.account = %(account)s and listing.gone_at is null;

-- name: select_requests
-- How many requests of this hour were counted.
-- :account
select coalesce(sum(requests), 0)::integer
from backmarket.backbox_requests
where account = %(account)s and hour = date_trunc('hour', now());

-- name: select_taking_part
-- Listings that take part in a BackBox, by a reading since a moment.
-- :account, :since
select distinct id
from backmarket.backbox
where account = %(account)s and gone_at is null and read_at >= %(since)s;
