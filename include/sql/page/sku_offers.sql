-- How each market shows a SKU.
-- :account, :sku
select offer.market, listing.title, listing.quantity, offer.price, offer.currency, offer.publication_state, offer.read_at
from backmarket.listings as listing
inner join backmarket.listing_offers as offer on listing.account = offer.account and listing.id = offer.id
where
    listing.account = %(account)s and lower(listing.sku) = lower(%(sku)s)
    and listing.gone_at is null and offer.gone_at is null
order by offer.market
