-- Back Market took the batch: from here on its task tells how these changes end.
-- :account, :change_ids, :batch_id
update backmarket.changes
set batch_id = %(batch_id)s
where account = %(account)s and change_id = any(%(change_ids)s) and status in ('sent', 'unknown')
