-- Changes sent in the last 30 days by UTC day and kind.
-- :account, :kinds
select (sent_at at time zone 'UTC')::date as bucket, kind as series, count(*) as value
from backmarket.changes
where
    account = %(account)s and kind = any(%(kinds)s)
    and sent_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '29 days'
group by 1, 2
order by 1, 2
