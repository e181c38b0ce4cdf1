-- Listings that Back Market serves: what is on the shelf, shown and sold, how long it lasts, and the price by market.
-- :account
--
-- Stock is the newest count of seller.stock that is a whole number; days of cover count what is shown where there is
-- none.
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

counted as (
    select distinct on (backmarket.sku_key(sku::text))
        backmarket.sku_key(sku::text) as sku_key, backmarket.plain_number(quantity::text)::integer as stock
    from seller.stock
    where account::text = %(account)s and backmarket.plain_number(quantity::text) ~ '^-?\d{1,9}$'
    order by backmarket.sku_key(sku::text) asc, counted_at::text desc
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
    listing.title as detail,
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
left join sold on backmarket.sku_key(listing.sku) = sold.sku_key
where listing.account = %(account)s and listing.gone_at is null;
