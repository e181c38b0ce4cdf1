-- Turned away at the door: planned as if it had never been sent.
-- :account, :change_ids, :reason
update backmarket.changes
set status = 'planned', attempts = attempts - 1, reason = %(reason)s
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'sent'
