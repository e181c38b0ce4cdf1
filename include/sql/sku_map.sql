-- name: select_feeders
-- The SKUs that may feed a listing.
-- :account, :sku
select distinct backmarket.sku_key(map.sku::text)
from seller.sku_map as map
where
    map.account::text = %(account)s and map.sku is not null
    and backmarket.sku_key(map.listing_sku::text) = backmarket.sku_key(%(sku)s);

-- name: select_former
-- The SKUs that fed listings of other names by the newest plan.
-- :account
select backmarket.sku_key(inventory.sku), backmarket.sku_key(feeder ->> 'sku'), (feeder ->> 'units')::integer
from backmarket.inventory as inventory
cross join lateral jsonb_array_elements(inventory.fed_by) as feeder
where inventory.account = %(account)s and inventory.fed_by is not null;

-- name: select_map
-- Which SKUs feed which listings, as texts: each row is judged by itself.
-- :account
select map.sku::text, map.listing_sku::text, map.units::text
from seller.sku_map as map
where map.account::text = %(account)s
order by map.sku::text, map.listing_sku::text;
