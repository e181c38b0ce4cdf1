-- What is to be sent, the longest waiting first unless the plan gave another order.
-- :account, :kind
select change_id, subject, market, payload, attempts
from backmarket.changes
where account = %(account)s and kind = %(kind)s and status = 'planned'
order by planned_at, change_id
