-- Every wanted price of these markets, with what the market shows now, the last price confirmed, and what a person
-- decided about exactly this move.
-- :account, :markets
select
    price.sku,
    price.market,
    price.price::numeric,
    price.currency,
    price.min_price::numeric,
    offer.id,
    offer.price as shown,
    offer.max_price,
    offer.max_price is null and coalesce(btrim(offer.document ->> 'max_price'), '') <> '' as max_price_unreadable,
    offer.read_at,
    last.price as last_sent,
    last.confirmed_at as last_sent_at,
    approval.status as decision
from seller.prices as price
inner join backmarket.listings as listing
    on price.account = listing.account and lower(price.sku) = lower(listing.sku) and listing.gone_at is null
inner join backmarket.listing_offers as offer
    on listing.account = offer.account and listing.id = offer.id
    and price.market = offer.market and offer.gone_at is null
left join lateral (
    select (change.payload ->> 'price')::numeric as price, change.confirmed_at
    from backmarket.changes as change
    where
        change.account = price.account and change.kind = 'price' and change.subject = price.sku
        and change.market = price.market and change.status = 'confirmed'
    order by change.change_id desc
    limit 1
) as last on true
left join backmarket.price_approvals as approval
    on price.account = approval.account and price.sku = approval.sku and price.market = approval.market
    and offer.price = approval.old_price and price.price = approval.new_price
where price.account = %(account)s and price.market = any(%(markets)s)
order by price.sku, price.market
