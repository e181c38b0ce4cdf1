-- Written down before the request leaves. No row: somebody else has it, or it is planned no more.
-- :account, :change_ids, :in_batch
update backmarket.changes
set
    status = 'sent',
    sent_at = clock_timestamp(),
    attempts = attempts + 1,
    reason = null,
    in_batch = %(in_batch)s,
    batch_id = null
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned'
returning change_id
