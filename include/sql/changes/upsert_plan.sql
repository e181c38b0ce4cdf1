-- Record the plan. What waits already keeps its place in the queue and takes the new values; what is under way
-- (sent, unknown) is left alone until it is settled.
-- :account, :kind, :run_id
insert into backmarket.changes as waiting (account, kind, subject, market, payload, status, reason, run_id)
select %(account)s, %(kind)s, subject, market, payload, status, reason, %(run_id)s
from staged_plan
where status in ('planned', 'awaiting_approval', 'dry_run')
order by position
on conflict (account, kind, subject, market)
where status in ('planned', 'awaiting_approval', 'sent', 'unknown', 'dry_run')
do update set
    payload = excluded.payload,
    status = excluded.status,
    reason = excluded.reason,
    run_id = excluded.run_id
where
    waiting.status in ('planned', 'awaiting_approval', 'dry_run')
    and (waiting.payload, waiting.status, waiting.reason)
    is distinct from (excluded.payload, excluded.status, excluded.reason)
