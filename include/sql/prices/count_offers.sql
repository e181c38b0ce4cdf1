-- How many listings a market has by the newest reading.
-- :account, :market
select count(*)
from backmarket.listing_offers
where account = %(account)s and market = %(market)s and gone_at is null
