-- What may have been applied without our knowing: a run was killed, or an answer was lost.
-- :account, :kind
select change_id, subject, market, payload, attempts, status, sent_at, batch_id, in_batch
from backmarket.changes
where account = %(account)s and kind = %(kind)s and status in ('sent', 'unknown')
order by change_id
