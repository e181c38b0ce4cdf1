-- What Back Market itself refused lately, newest per subject: the same again would be refused again.
-- :account, :kind, :since
select subject, market, payload
from (
    select distinct on (subject, market) subject, market, payload, status, attempts, sent_at
    from backmarket.changes
    where account = %(account)s and kind = %(kind)s and status not in ('superseded', 'planned', 'dry_run')
    order by subject asc, market asc, change_id desc
) as newest
where status = 'refused' and attempts > 0 and sent_at > %(since)s
