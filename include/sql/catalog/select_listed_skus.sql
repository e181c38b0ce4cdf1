-- The SKUs that have a listing, in lower case: Back Market matches them so.
-- :account
select distinct backmarket.sku_key(sku)
from backmarket.listings
where account = %(account)s and gone_at is null and sku is not null
