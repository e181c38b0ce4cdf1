-- How a change ended, or that its end is not known yet. Back to planned: it surely was not applied.
-- :account, :change_ids, :status, :reason, :batch_id
update backmarket.changes
set
    status = %(status)s,
    reason = %(reason)s,
    batch_id = coalesce(%(batch_id)s, batch_id),
    confirmed_at = case when %(status)s = 'confirmed' then clock_timestamp() end
where account = %(account)s and change_id = any(%(change_ids)s) and status in ('sent', 'unknown')
returning change_id
