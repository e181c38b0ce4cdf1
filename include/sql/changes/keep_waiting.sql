-- Why what is planned could not be sent now.
-- :account, :change_ids, :reason
update backmarket.changes
set reason = %(reason)s
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned'
