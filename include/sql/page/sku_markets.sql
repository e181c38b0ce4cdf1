-- How each market shows a SKU, beside what the seller wants there.
-- :account, :skus
with shown as (
    select distinct on (offer.market)
        offer.market, listing.title, listing.quantity, offer.price, offer.currency, offer.publication_state
    from backmarket.listings as listing
    inner join backmarket.listing_offers as offer on listing.account = offer.account and listing.id = offer.id
    where
        listing.account = %(account)s and lower(listing.sku) = lower((%(skus)s::text [])[1])
        and listing.gone_at is null and offer.gone_at is null
    order by offer.market asc, offer.read_at desc
),

wanted as (
    select distinct on (market) market, price, currency, min_price
    from seller.prices
    where account = %(account)s and sku = any(%(skus)s)
    order by market
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
