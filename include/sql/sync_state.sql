-- name: claim_unannounced
-- What no run has announced yet is for this one to announce.
-- :account, :thing, :run_id
update backmarket.unannounced
set run_id = %(run_id)s, claimed_at = now()
where account = %(account)s and thing = %(thing)s and run_id is null;

-- name: delete_announced
-- Forget what was announced a month ago.
-- :account, :thing
delete from backmarket.unannounced
where account = %(account)s and thing = %(thing)s and claimed_at < now() - interval '30 days';

-- name: note_unannounced
-- What has changed, to be announced by whichever run comes to it.
-- :account, :thing, :counts
insert into backmarket.unannounced as open_note (account, thing, counts)
values (%(account)s, %(thing)s, %(counts)s)
on conflict (account, thing) where run_id is null
do update set counts = backmarket.added_counts(open_note.counts, excluded.counts);

-- name: reclaim_unannounced
-- What another run was to announce, and did not.
-- :account, :thing, :run_id, :instead_of
update backmarket.unannounced
set run_id = %(run_id)s, claimed_at = now()
where account = %(account)s and thing = %(thing)s and run_id = %(instead_of)s;

-- name: select_claimed
-- What a run announces.
-- :account, :thing, :run_id
select counts from backmarket.unannounced
where account = %(account)s and thing = %(thing)s and run_id = %(run_id)s;

-- name: select_last_claim
-- Which run was the last that had something to announce.
-- :account, :thing
select run_id from backmarket.unannounced
where account = %(account)s and thing = %(thing)s and run_id is not null
order by claimed_at desc, note_id desc
limit 1;

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
