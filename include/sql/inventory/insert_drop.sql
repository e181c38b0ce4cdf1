-- Units that went from a listing.
-- :account, :id, :seen_from, :seen_at, :units
insert into backmarket.listing_drops (account, id, seen_from, seen_at, units)
values (%(account)s, %(id)s, %(seen_from)s, %(seen_at)s, %(units)s)
on conflict (account, id, seen_from, seen_at) do update set
    units = backmarket.listing_drops.units + excluded.units
