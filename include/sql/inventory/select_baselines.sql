-- What listings were last known to show.
-- :account
select id, quantity, known_at, maybe
from backmarket.listing_baselines
where account = %(account)s
