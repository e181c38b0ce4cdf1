-- SKUs that Back Market shows and seller.stock lacks.
-- :account
select listing.sku
from backmarket.listings as listing
where
    listing.account = %(account)s and listing.gone_at is null and listing.sku is not null
    and not exists (
        select 1
        from seller.stock as stock
        where stock.account = listing.account and lower(stock.sku) = lower(listing.sku)
    )
order by listing.sku
