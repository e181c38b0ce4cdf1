-- Record what must not be sent, with its reasons; once, not in every run: a refusal equal to the newest row of its
-- subject is known already.
-- :account, :kind, :run_id
insert into backmarket.changes (account, kind, subject, market, payload, status, reason, run_id)
select %(account)s, %(kind)s, refused.subject, refused.market, refused.payload, 'refused', refused.reason, %(run_id)s
from staged_plan as refused
left join lateral (
    select payload, status, reason
    from backmarket.changes as change
    where
        change.account = %(account)s and change.kind = %(kind)s
        and change.subject = refused.subject and change.market = refused.market
    order by change_id desc
    limit 1
) as newest on true
where
    refused.status = 'refused'
    and (newest.status, newest.payload, newest.reason)
    is distinct from ('refused', refused.payload, refused.reason)
order by refused.position
