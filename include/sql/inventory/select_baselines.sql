-- What listings were last known to show.
-- :account, :ids
select id, quantity, known_at, maybe, maybe_at
from backmarket.listing_baselines
where account = %(account)s and id = any(%(ids)s)
