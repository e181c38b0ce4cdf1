-- Rows of one of the seller's tables that a reading did not find bad leave the quarantine.
-- :account, :entity, :keys (those that stay)
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = %(entity)s
    and not exists (select 1 from unnest(%(keys)s::text []) as standing (key) where standing.key = quarantine.key)
