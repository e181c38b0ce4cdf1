-- Units that went from listings within the hold, oldest first.
-- :account, :since
select id, seen_from, seen_at, units
from backmarket.listing_drops
where account = %(account)s and seen_at >= %(since)s
order by seen_at, seen_from
