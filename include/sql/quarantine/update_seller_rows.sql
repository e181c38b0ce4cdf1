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
    )
