-- What offers of a SKU showed, one row a change.
-- :account, :skus
select
    history.changed_at as at,
    'listing' as source,
    'shown by Back Market' as what,
    concat_ws(' · ', history.market, history.quantity || ' units', history.price || ' ' || history.currency) as detail
from backmarket.listings as listing
inner join backmarket.listing_offer_history as history on listing.account = history.account and listing.id = history.id
where listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
order by history.changed_at desc
limit 200
