-- How each market shows a SKU, beside what the seller wants there.
-- :account, :skus
with shown as (
    select distinct on (offer.market)
        offer.market, listing.title, listing.quantity, offer.price, offer.currency, offer.publication_state
    from backmarket.listings as listing
    inner join backmarket.listing_offers as offer on listing.account = offer.account and listing.id = offer.id
    where
        listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
        and listing.gone_at is null and offer.gone_at is null
    order by offer.market asc, offer.read_at desc
),

wanted as (
    -- As texts, shown as the seller wrote them.
    select distinct on (market::text)
        market::text as market, price::text as price, currency::text as currency, min_price::text as min_price
    from seller.prices
    where account::text = %(account)s and backmarket.sku_key(sku::text) = backmarket.sku_key((%(skus)s::text [])[1])
    order by market::text
)

select
    coalesce(shown.market, wanted.market) as market,
    shown.title,
    shown.quantity,
    shown.price,
    shown.currency,
    shown.publication_state,
    wanted.price as wanted,
    wanted.currency as wanted_currency,
    wanted.min_price
from shown
full join wanted on shown.market = wanted.market
order by market
