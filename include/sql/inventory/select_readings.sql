-- What listings show by the newest reading.
-- :account
select id, sku, quantity, read_at
from backmarket.listings
where account = %(account)s and gone_at is null and sku is not null and quantity is not null
order by sku, id
