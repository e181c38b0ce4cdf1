-- Keep rows that are not kept yet.
-- :account, :entity, :run_id, :keys, :documents, :reasons (as long as each other)
insert into backmarket.quarantine (account, entity, key, document, reason, first_run)
select %(account)s, %(entity)s, bad.key, bad.document, bad.reason, %(run_id)s
from unnest(%(keys)s::text [], %(documents)s::jsonb [], %(reasons)s::text []) as bad (key, document, reason)
on conflict (account, entity, key) do nothing
