-- Every price, as texts, by which these markets may be meant, once for each listing of its SKU (or once without), with
-- what the market shows now, the last price confirmed, and, where it shows none, the last one that it showed. A market
-- is read without its case and the blanks around it; one that Back Market does not have may be any. position tells the
-- rows of the seller apart.
-- :account, :markets, :known (all that Back Market has); :sku_keys, :listing_keys (as long as each other): SKUs that
-- seller.sku_map names, and the listings that take one unit of them, null where none does
with given as (
    select
        account::text as account,
        backmarket.clean_sku(sku::text) as sku,
        market::text as market,
        backmarket.market_key(market::text) as market_key,
        price::text as price,
        currency::text as currency,
        min_price::text as min_price,
        row_number() over () as position
    from seller.prices
    where
        account::text = %(account)s
        and (
            market is null
            or backmarket.market_key(market::text) = any(%(markets)s::text [])
            or backmarket.market_key(market::text) <> all(%(known)s::text [])
        )
),

aimed as (
    select
        given.*,
        fed.sku_key is not null as is_mapped,
        case when fed.sku_key is null then backmarket.sku_key(given.sku) else fed.listing_key end as listing_key
    from given
    left join unnest(%(sku_keys)s::text [], %(listing_keys)s::text []) as fed (sku_key, listing_key)
        on backmarket.sku_key(given.sku) = fed.sku_key
)

select
    aimed.position,
    aimed.sku,
    aimed.market,
    aimed.price,
    aimed.currency,
    aimed.min_price,
    case when aimed.is_mapped then listing.sku else aimed.sku end as listing_sku,
    aimed.market_key,
    offer.id,
    offer.price as shown,
    offer.max_price,
    offer.max_price is null and coalesce(btrim(offer.document ->> 'max_price'), '') <> '' as max_price_unreadable,
    offer.read_at,
    last.price as last_sent,
    last.confirmed_at as last_sent_at,
    offer.currency as shown_currency,
    before.price as last_shown,
    before.currency as last_shown_currency
from aimed
left join backmarket.listings as listing
    on aimed.account = listing.account and aimed.listing_key = backmarket.sku_key(listing.sku) and listing.gone_at is null
left join backmarket.listing_offers as offer
    on listing.account = offer.account and listing.id = offer.id
    and aimed.market_key = offer.market and offer.gone_at is null
left join lateral (
    select (change.payload ->> 'price')::numeric as price, change.confirmed_at
    from backmarket.changes as change
    where
        offer.id is not null
        and change.account = aimed.account and change.kind = 'price'
        and change.subject = case when aimed.is_mapped then listing.sku else aimed.sku end
        and change.market = aimed.market_key and change.status = 'confirmed'
    order by change.change_id desc
    limit 1
) as last on true
left join lateral (
    select history.price, history.currency
    from backmarket.listing_offer_history as history
    where
        offer.id is not null and coalesce(offer.price, 0) = 0
        and history.account = offer.account and history.id = offer.id and history.market = offer.market
        and history.price > 0
    order by history.changed_at desc
    limit 1
) as before on true
order by aimed.sku, aimed.market_key, aimed.position;
