-- The days that newly stored rows belong to; taken here, so that the same transaction has to look at them.
-- :account
delete from backmarket.settlement_stale_days
where account = %(account)s
returning day
