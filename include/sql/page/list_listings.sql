-- Listings that Back Market serves: what is on the shelf, shown and sold, how long it lasts, and the price by market.
-- :account
--
-- Stock is what the newest counts of seller.stock that are whole numbers add up to, of all warehouses and of all SKUs
-- that feed the listing, also of those that feed others, too; days of cover count what is shown where there is none.
with offers as (
    select
        id,
        string_agg(market, ' ' order by market) as markets,
        string_agg(concat_ws(' ', market, price, currency), ' · ' order by market) as prices,
        min(price) as lowest_price,
        (array_agg(currency order by price))[1] as currency,
        bool_or(publication_state = 2) as is_online
    from backmarket.listing_offers
    where account = %(account)s and gone_at is null
    group by id
),

counts as (
    select distinct on (backmarket.sku_key(sku), warehouse)
        backmarket.sku_key(sku) as sku_key,
        backmarket.plain_number(quantity)::integer as stock
    from backmarket.stock_rows(%(account)s)
    where backmarket.plain_number(quantity) ~ '^-?\d{1,9}$'
    order by backmarket.sku_key(sku) asc, warehouse asc, counted_at desc
),

mapped as (
    select
        backmarket.sku_key(map.sku::text) as sku_key,
        backmarket.sku_key(map.listing_sku::text) as listing_key,
        map.sku::text as sku,
        case
            when backmarket.plain_number(map.units::text) ~ '^[1-9]\d{0,8}$'
                then backmarket.plain_number(map.units::text)::integer
            else 1
        end as units
    from seller.sku_map as map
    where map.account::text = %(account)s and map.sku is not null and map.listing_sku is not null
),

yours as (
    select listing_key, 'yours: ' || string_agg(distinct sku, ', ') as skus
    from mapped
    group by listing_key
),

counted as (
    select
        coalesce(mapped.listing_key, counts.sku_key) as sku_key,
        sum(floor(counts.stock::numeric / coalesce(mapped.units, 1)))::integer as stock
    from (select sku_key, sum(stock) as stock from counts group by sku_key) as counts
    left join mapped on counts.sku_key = mapped.sku_key
    group by 1
),

sold_as_spelled as (
    select sku, sum(quantity) as units
    from backmarket.order_lines
    where
        account = %(account)s and date_creation >= now() - interval '30 days'
        and state not in (4, 7) and gone_at is null
    group by sku
),

sold as (
    select backmarket.sku_key(sku) as sku_key, sum(units)::integer as units
    from sold_as_spelled
    group by 1
)

select
    case when listing.sku is null then '' else 'sku' end as story,
    coalesce(listing.sku, listing.listing_id::text, listing.id::text) as subject,
    case when offers.is_online then 'online' else 'not online' end as kind,
    coalesce(offers.markets, '') as market,
    concat_ws(' · ', listing.title, yours.skus) as detail,
    counted.stock,
    listing.quantity as shown,
    coalesce(sold.units, 0) as sold,
    round(coalesce(counted.stock, listing.quantity) * 30.0 / nullif(sold.units, 0))::integer as cover,
    offers.prices,
    offers.lowest_price as amount,
    offers.currency,
    listing.first_seen_at as since,
    listing.id::text as topic
from backmarket.listings as listing
left join offers on listing.id = offers.id
left join counted on backmarket.sku_key(listing.sku) = counted.sku_key
left join yours on backmarket.sku_key(listing.sku) = yours.listing_key
left join sold on backmarket.sku_key(listing.sku) = sold.sku_key
where listing.account = %(account)s and listing.gone_at is null;
