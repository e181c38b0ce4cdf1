-- What a listing is known to show now.
-- :account, :id, :quantity, :known_at
insert into backmarket.listing_baselines (account, id, quantity, known_at)
values (%(account)s, %(id)s, %(quantity)s, %(known_at)s)
on conflict (account, id) do update set
    quantity = excluded.quantity,
    maybe = null,
    maybe_at = null,
    known_at = excluded.known_at
