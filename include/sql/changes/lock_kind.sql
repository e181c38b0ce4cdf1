-- Wait until no other process changes the same; the lock ends with the session, so also where the process is killed.
-- :account, :kind
select pg_advisory_lock(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text), 0))
