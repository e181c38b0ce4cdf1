-- Rows of seller.prices that no plan looks at: why, how many, and some of them.
-- :account, :markets
select reason, count(*), (array_agg(concat_ws(' ', sku, market) order by sku, market))[:5] as examples
from (
    select
        price.sku::text as sku,
        price.market::text as market,
        case
            when price.sku is null or price.market is null then 'name no SKU or no market'
            when price.market::text <> all(%(markets)s) then 'are of a market that backmarket_markets does not name'
            when listing.id is null then 'are of a SKU that has no listing'
            when offer.id is null then 'are of a listing that this market does not show'
        end as reason
    from seller.prices as price
    left join backmarket.listings as listing
        on price.account::text = listing.account and backmarket.sku_key(price.sku::text) = backmarket.sku_key(listing.sku)
        and listing.gone_at is null
    left join backmarket.listing_offers as offer
        on listing.account = offer.account and listing.id = offer.id
        and price.market::text = offer.market and offer.gone_at is null
    where price.account::text = %(account)s
) as rows
where reason is not null
group by reason
order by reason
