-- What Back Market itself refused, where that is the newest word on the SKU.
-- :account, :kind
select subject, payload, reason
from (
    select distinct on (subject) subject, payload, reason, status
    from backmarket.changes
    where account = %(account)s and kind = %(kind)s and (attempts > 0 or status = 'refused')
    order by subject asc, change_id desc
) as newest
where
    status = 'refused'
    and exists (
        select 1
        from backmarket.changes as sent
        where
            sent.account = %(account)s and sent.kind = %(kind)s and sent.subject = newest.subject
            and sent.status = 'refused' and sent.attempts > 0 and sent.payload = newest.payload
    )
