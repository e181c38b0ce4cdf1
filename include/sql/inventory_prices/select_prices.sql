-- Every price, as texts, by which these markets may be meant, once for each listing of its SKU (or once without), with
-- what the market shows now and the last price confirmed. position tells the rows of the seller apart.
-- :account, :markets
with given as (
    select
        account::text as account,
        backmarket.clean_sku(sku::text) as sku,
        market::text as market,
        price::text as price,
        currency::text as currency,
        min_price::text as min_price,
        row_number() over () as position
    from seller.prices
    where account::text = %(account)s and (market is null or market::text = any(%(markets)s))
)

select
    given.position,
    given.sku,
    given.market,
    given.price,
    given.currency,
    given.min_price,
    offer.id,
    offer.price as shown,
    offer.max_price,
    offer.max_price is null and coalesce(btrim(offer.document ->> 'max_price'), '') <> '' as max_price_unreadable,
    offer.read_at,
    last.price as last_sent,
    last.confirmed_at as last_sent_at
from given
left join backmarket.listings as listing
    on given.account = listing.account and backmarket.sku_key(given.sku) = backmarket.sku_key(listing.sku) and listing.gone_at is null
left join backmarket.listing_offers as offer
    on listing.account = offer.account and listing.id = offer.id
    and given.market = offer.market and offer.gone_at is null
left join lateral (
    select (change.payload ->> 'price')::numeric as price, change.confirmed_at
    from backmarket.changes as change
    where
        offer.id is not null
        and change.account = given.account and change.kind = 'price' and change.subject = given.sku
        and change.market = given.market and change.status = 'confirmed'
    order by change.change_id desc
    limit 1
) as last on true
order by given.sku, given.market, given.position;
