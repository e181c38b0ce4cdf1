-- Changes sent in the last 30 days by UTC day and kind; counted a day and a kind at a time, which an index answers alone.
-- :account, :kinds
select days.day::date as bucket, kinds.kind as series, counted.value
from
    generate_series(
        date_trunc('day', now() at time zone 'UTC') - interval '29 days',
        date_trunc('day', now() at time zone 'UTC'),
        interval '1 day'
    ) as days (day)
cross join unnest(%(kinds)s::text []) as kinds (kind)
cross join lateral (
    select count(*) as value
    from backmarket.changes as change
    where
        change.account = %(account)s and change.kind = kinds.kind
        and change.sent_at >= days.day at time zone 'UTC'
        and change.sent_at < (days.day + interval '1 day') at time zone 'UTC'
) as counted
where counted.value > 0
order by 1, 2
