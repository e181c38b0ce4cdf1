-- name: copy_inventory
-- One row per SKU with stock.
copy backmarket.inventory (
    account, sku, id, stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, reason, planned_at, fed_by
) from stdin;

-- name: count_held_by_guard
-- How many SKUs the zero guard holds.
-- :account
select count(*)
from backmarket.inventory_findings
where account = %(account)s and kind = 'held_by_zero_guard';

-- name: count_offers
-- How many listings a market has by the newest reading.
-- :account, :market
select count(*)
from backmarket.listing_offers
where account = %(account)s and market = %(market)s and gone_at is null;

-- name: count_unmatched
-- Rows of seller.prices that no plan looks at: why, how many, and some of them.
-- :account; :markets, :known, :sku_keys, :listing_keys as in inventory_prices/select_prices; :unusable: SKUs with a row of
-- seller.sku_map that cannot be used
select reason, count(*), (array_agg(concat_ws(' ', sku, market) order by sku, market))[:5] as examples
from (
    select
        price.sku::text as sku,
        price.market::text as market,
        case
            when price.sku is null or price.market is null then 'name no SKU or no market'
            when backmarket.market_key(price.market::text) <> all(%(known)s::text [])
                then 'are of no market that Back Market has'
            when backmarket.market_key(price.market::text) <> all(%(markets)s::text [])
                then 'are of a market that backmarket_markets does not name'
            when fed.sku_key = any(%(unusable)s) then 'are of a SKU with a row in seller.sku_map that cannot be used'
            when fed.sku_key is not null and fed.listing_key is null
                then 'are of a SKU that its listing takes several of: name the listing by its own SKU'
            when listing.id is null then 'are of a SKU that has no listing'
            when offer.id is null then 'are of a listing that this market does not show'
        end as reason
    from seller.prices as price
    left join unnest(%(sku_keys)s::text [], %(listing_keys)s::text []) as fed (sku_key, listing_key)
        on backmarket.sku_key(price.sku::text) = fed.sku_key
    left join backmarket.listings as listing
        on price.account::text = listing.account
        and case when fed.sku_key is null then backmarket.sku_key(price.sku::text) else fed.listing_key end
        = backmarket.sku_key(listing.sku)
        and listing.gone_at is null
    left join backmarket.listing_offers as offer
        on listing.account = offer.account and listing.id = offer.id
        and backmarket.market_key(price.market::text) = offer.market and offer.gone_at is null
    where price.account::text = %(account)s
) as rows
where reason is not null
group by reason
order by reason;

-- name: delete_drops
-- Make room for the drops of a listing after a reading.
-- :account, :id
delete from backmarket.listing_drops
where account = %(account)s and id = %(id)s;

-- name: delete_ended_findings
-- Forget states of these kinds that the newest plan no longer found.
-- :account, :kinds, :keys
delete from backmarket.inventory_findings
where
    account = %(account)s and kind = any(%(kinds)s)
    and not (kind || '/' || sku = any(%(keys)s));

-- name: delete_inventory
-- Make room for a new plan.
-- :account
delete from backmarket.inventory
where account = %(account)s;

-- name: insert_drop
-- Units that went from a listing.
-- :account, :id, :seen_from, :seen_at, :units
insert into backmarket.listing_drops (account, id, seen_from, seen_at, units)
values (%(account)s, %(id)s, %(seen_from)s, %(seen_at)s, %(units)s)
on conflict (account, id, seen_from, seen_at) do update set
    units = least(backmarket.listing_drops.units::bigint + excluded.units, 2147483647);

-- name: select_baselines
-- What listings were last known to show.
-- :account, :ids
select id, quantity, known_at, sent_quantity, sent_at
from backmarket.listing_baselines
where account = %(account)s and id = any(%(ids)s);

-- name: select_batch_columns
-- What a line of a batch must name besides the price: the SKU as Back Market writes it, and the grade as it is.
-- :account, :ids
select id, sku, grade
from backmarket.listings
where account = %(account)s and id = any(%(ids)s::uuid[]) and gone_at is null and sku is not null and grade is not null;

-- name: select_created
-- The newest creation of each of these SKUs since a moment that may have been applied: with how many units, and when it
-- was sent. However it ended, an earlier sending of it may have had its effect; one that was refused at once had none.
-- :account, :keys (as backmarket.sku_key gives them), :since
select distinct on (backmarket.sku_key(subject))
    backmarket.sku_key(subject) as sku_key,
    (payload -> 'columns' ->> 'quantity')::integer as quantity,
    sent_at
from backmarket.changes
where
    account = %(account)s and kind in ('listing', 'product') and sent_at >= %(since)s
    and ((status <> 'refused' and tried_again_by is null) or attempts > 1)
    and payload -> 'columns' ->> 'quantity' is not null
    and backmarket.sku_key(subject) = any(%(keys)s)
order by backmarket.sku_key(subject) asc, change_id desc;

-- name: select_drops
-- Units that went from listings within the hold, oldest first.
-- :account, :since
select id, seen_from, seen_at, units
from backmarket.listing_drops
where account = %(account)s and seen_at >= %(since)s
order by seen_at, seen_from;

-- name: select_feeders
-- The SKUs that may feed a listing.
-- :account, :sku
select distinct backmarket.sku_key(map.sku::text)
from seller.sku_map as map
where
    map.account::text = %(account)s and map.sku is not null
    and backmarket.sku_key(map.listing_sku::text) = backmarket.sku_key(%(sku)s);

-- name: select_former
-- The SKUs that fed listings of other names by the newest plan.
-- :account
select backmarket.sku_key(inventory.sku), backmarket.sku_key(feeder ->> 'sku'), (feeder ->> 'units')::integer
from backmarket.inventory as inventory
cross join lateral jsonb_array_elements(inventory.fed_by) as feeder
where inventory.account = %(account)s and inventory.fed_by is not null;

-- name: select_gone
-- Of these listings, in these markets where one is named, those that Back Market serves no more.
-- :account, :ids, :markets (as long as each other; empty for what all markets share)
select wanted.id, wanted.market
from unnest(%(ids)s::uuid [], %(markets)s::text []) as wanted (id, market)
where
    not exists (
        select 1
        from backmarket.listings as listing
        where listing.account = %(account)s and listing.id = wanted.id and listing.gone_at is null
    )
    or exists (
        select 1
        from backmarket.listing_offers as offer
        where
            offer.account = %(account)s and offer.id = wanted.id
            and offer.market = wanted.market and offer.gone_at is not null
    );

-- name: select_known_moments
-- When each SKU was counted, and up to when the count knows of orders, as texts.
-- :account, :sku_keys (as backmarket.sku_key gives them; null for all)
select backmarket.sku_key(sku), counted_at, orders_known_until
from backmarket.stock_rows(%(account)s)
where sku is not null and (%(sku_keys)s::text [] is null or backmarket.sku_key(sku) = any(%(sku_keys)s::text []));

-- name: select_lines
-- Order lines that may matter to a count or to a drop: not accepted yet, or made, paid or accepted since a moment. SKUs
-- whose count is older have a moment of their own, so that one old count does not bring the history of all others.
-- :account, :since, :sku (null for all), :keys and :sinces (SKUs as backmarket.sku_key gives them, and their moments)
--
-- Each branch of candidates is answered by an index, so that the cost follows what has changed, not what exists.
with older as (
    select counted.sku_key, counted.since
    from unnest(%(keys)s::text [], %(sinces)s::timestamptz []) as counted (sku_key, since)
),

candidates as (
    select orderline_id
    from backmarket.order_lines
    where account = %(account)s and backmarket.sku_key(sku) = backmarket.sku_key(%(sku)s)
    union
    select orderline_id
    from backmarket.order_lines
    where %(sku)s::text is null and account = %(account)s and accepted_seen_at is null and state not in (4, 7)
    union
    select orderline_id
    from backmarket.order_lines
    where %(sku)s::text is null and account = %(account)s and state in (0, 1, 8, 9)
    union
    select orderline_id
    from backmarket.order_lines
    where %(sku)s::text is null and account = %(account)s and accepted_seen_at > %(since)s
    union
    select subject::bigint
    from backmarket.changes
    where
        %(sku)s::text is null
        and account = %(account)s and kind = 'accept' and status = 'confirmed' and confirmed_at > %(since)s
    union
    select orderline_id
    from backmarket.order_lines
    where %(sku)s::text is null and account = %(account)s and date_creation > %(since)s
    union
    select line.orderline_id
    from backmarket.orders
    inner join backmarket.order_lines as line using (account, order_id)
    where %(sku)s::text is null and account = %(account)s and orders.date_payment > %(since)s
    union
    select line.orderline_id
    from backmarket.orders
    inner join backmarket.order_lines as line using (account, order_id)
    where %(sku)s::text is null and account = %(account)s and orders.date_creation > %(since)s
    union
    select orderline_id
    from backmarket.order_lines
    where %(sku)s::text is null and account = %(account)s and backmarket.sku_key(sku) = any(%(keys)s::text [])
)

select
    line.orderline_id,
    line.order_id,
    line.sku,
    -- No line adds units to what may be sold, not even one that an earlier version has stored.
    greatest(line.quantity, 0) as quantity,
    line.state,
    coalesce(line.date_creation, orders.date_creation) as created_at,
    orders.date_payment as paid_at,
    coalesce(accepted.accepted_at, line.accepted_seen_at) as accepted_at,
    line.gone_at is not null or orders.gone_at is not null as is_gone
from candidates
inner join backmarket.order_lines as line on line.account = %(account)s and candidates.orderline_id = line.orderline_id
inner join backmarket.orders as orders on line.account = orders.account and line.order_id = orders.order_id
left join older on backmarket.sku_key(line.sku) = older.sku_key
left join lateral (
    select min(change.confirmed_at) as accepted_at
    from backmarket.changes as change
    where
        change.account = %(account)s and change.kind = 'accept' and change.subject = line.orderline_id::text
        and change.status = 'confirmed'
) as accepted on true
where
    line.sku is not null
    and (
        line.state in (0, 1, 8, 9)
        or coalesce(accepted.accepted_at, line.accepted_seen_at, 'infinity') > coalesce(older.since, %(since)s)
        or coalesce(line.date_creation, orders.date_creation, 'infinity') > coalesce(older.since, %(since)s)
        or orders.date_payment > coalesce(older.since, %(since)s)
    );

-- name: select_map
-- Which SKUs feed which listings, as texts: each row is judged by itself.
-- :account
select map.sku::text, map.listing_sku::text, map.units::text
from seller.sku_map as map
where map.account::text = %(account)s
order by map.sku::text, map.listing_sku::text;

-- name: select_readings
-- What listings show by the newest reading.
-- :account
select id, sku, quantity, read_at
from backmarket.listings
where account = %(account)s and gone_at is null and sku is not null and quantity is not null
order by sku, id;

-- name: select_shown_prices
-- What every market shows by its newest reading.
-- :account
select id, market, price, currency, read_at
from backmarket.listing_offers
where account = %(account)s and gone_at is null;

-- name: select_stock
-- The seller's counts, as texts: each row is judged by itself.
-- :account, :sku_keys (as backmarket.sku_key gives them; null for all)
select sku, quantity, counted_at, safety_qty, max_qty, orders_known_until, warehouse
from backmarket.stock_rows(%(account)s)
where %(sku_keys)s::text [] is null or backmarket.sku_key(sku) = any(%(sku_keys)s::text [])
order by sku;

-- name: select_summary
-- The arithmetic of the SKUs that the newest plan wants changed or that hold units back, most interesting first.
-- :account, :most
select sku, stock, reserved, held, safety_qty, max_qty, shown, wanted, reason
from backmarket.inventory
where account = %(account)s and (shown <> wanted or reserved > 0 or held > 0 or reason is not null)
order by (shown <> wanted) desc, wanted, sku
limit %(most)s;

-- name: set_sent_quantity
-- From here until its answer a listing may show what is being sent; null: what was sent surely had no effect.
-- :account, :id, :quantity
update backmarket.listing_baselines
set sent_quantity = %(quantity)s, sent_at = case when %(quantity)s::integer is not null then clock_timestamp() end
where account = %(account)s and id = %(id)s;

-- name: upsert_baselines
-- What listings are known to show now, each once.
-- :account, :ids, :quantities, :moments (as long as each other)
insert into backmarket.listing_baselines (account, id, quantity, known_at)
select %(account)s, shown.id, shown.quantity, shown.known_at
from unnest(%(ids)s::uuid [], %(quantities)s::integer [], %(moments)s::timestamptz []) as shown (
    id, quantity, known_at
)
on conflict (account, id) do update set
    quantity = excluded.quantity,
    sent_quantity = null,
    sent_at = null,
    known_at = excluded.known_at;

-- name: upsert_findings
-- Record what was found, each once; found again, it keeps the moment of its first time.
-- :account, :kinds, :skus, :markets, :details (as long as each other)
insert into backmarket.inventory_findings (account, kind, sku, market, detail)
select %(account)s, found.kind, found.sku, found.market, found.detail
from unnest(%(kinds)s::text [], %(skus)s::text [], %(markets)s::text [], %(details)s::text [])
    as found (kind, sku, market, detail)
on conflict (account, kind, sku, market) do update set
    detail = excluded.detail,
    last_seen_at = now();
