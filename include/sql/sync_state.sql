-- name: select_watermark
-- Up to when everything is stored; no row before the first success.
-- :account, :concern, :market
select watermark, succeeded_at
from backmarket.sync_state
where account = %(account)s and concern = %(concern)s and market = %(market)s;

-- name: upsert_sync_state
-- Record a success. The watermark only ever moves forwards; a null one leaves it where it is.
-- :account, :concern, :market, :watermark, :counts
insert into backmarket.sync_state as stored (account, concern, market, watermark, succeeded_at, counts)
values (%(account)s, %(concern)s, %(market)s, %(watermark)s, now(), %(counts)s)
on conflict (account, concern, market) do update set
    watermark = greatest(stored.watermark, excluded.watermark),
    succeeded_at = excluded.succeeded_at,
    counts = excluded.counts;
