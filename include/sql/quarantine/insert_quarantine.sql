-- Keep a document that could not be understood, once per key, with the newest version and reason.
-- :account, :entity, :key, :document, :reason
insert into backmarket.quarantine as stored (account, entity, key, document, reason)
values (%(account)s, %(entity)s, %(key)s, %(document)s, %(reason)s)
on conflict (account, entity, key) do update set
    document = excluded.document,
    reason = excluded.reason,
    last_seen_at = excluded.last_seen_at
