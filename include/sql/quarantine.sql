-- name: count_first_left_out
-- How many of these rows a run was the first to find.
-- :account, :entity, :keys, :run_id
select count(*) from backmarket.quarantine
where account = %(account)s and entity = %(entity)s and key = any(%(keys)s::text []) and first_run = %(run_id)s;

-- name: insert_quarantine
-- Keep a document that could not be understood, once per key, with the newest version and reason.
-- :account, :entity, :key, :document, :reason
insert into backmarket.quarantine as stored (account, entity, key, document, reason)
values (%(account)s, %(entity)s, %(key)s, %(document)s, %(reason)s)
on conflict (account, entity, key) do update set
    document = excluded.document,
    reason = excluded.reason,
    last_seen_at = excluded.last_seen_at;

-- name: insert_seller_rows
-- Keep rows that are not kept yet.
-- :account, :entity, :run_id, :keys, :documents, :reasons (as long as each other)
insert into backmarket.quarantine (account, entity, key, document, reason, first_run)
select %(account)s, %(entity)s, bad.key, bad.document, bad.reason, %(run_id)s
from unnest(%(keys)s::text [], %(documents)s::jsonb [], %(reasons)s::text []) as bad (key, document, reason)
on conflict (account, entity, key) do nothing;

-- name: purge_quarantine
-- Forget quarantined documents not seen for so many days: they hold personal data.
-- :account, :days
delete from backmarket.quarantine
where account = %(account)s and last_seen_at < now() - make_interval(days => %(days)s);

-- name: release_listings
-- A listing that a market shows in a form that is understood now leaves the quarantine.
-- :account
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = 'listing'
    and key in (select market || '/' || id::text from staged_listings);

-- name: release_orders
-- An order that is understood now leaves the quarantine.
-- :account
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = 'order'
    and key in (select order_id::text from staged_orders);

-- name: release_seller_rows
-- Rows of one of the seller's tables that a reading did not find bad leave the quarantine.
-- :account, :entity, :keys (those that stay)
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = %(entity)s
    and not exists (select 1 from unnest(%(keys)s::text []) as standing (key) where standing.key = quarantine.key);

-- name: update_seller_rows
-- Bring rows that are kept already up to date. What has not changed is written once an hour only.
-- :account, :entity, :keys, :documents, :reasons (as long as each other)
update backmarket.quarantine as kept
set document = bad.document, reason = bad.reason, last_seen_at = now()
from unnest(%(keys)s::text [], %(documents)s::jsonb [], %(reasons)s::text []) as bad (key, document, reason)
where
    kept.account = %(account)s
    and kept.entity = %(entity)s
    and kept.key = bad.key
    and (
        (kept.document, kept.reason) is distinct from (bad.document, bad.reason)
        or kept.last_seen_at < now() - interval '1 hour'
    );
