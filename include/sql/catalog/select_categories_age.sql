-- When a market's category tree was read; null where it never was.
-- :account, :market
select min(read_at)
from backmarket.categories
where account = %(account)s and market = %(market)s
