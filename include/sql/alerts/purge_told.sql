-- After 30 days people may be told again.
-- :account
delete from backmarket.alerts
where account = %(account)s and told_at < now() - interval '30 days'
