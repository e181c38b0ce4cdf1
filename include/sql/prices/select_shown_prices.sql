-- What every market shows by its newest reading.
-- :account
select id, market, price, read_at
from backmarket.listing_offers
where account = %(account)s and gone_at is null
