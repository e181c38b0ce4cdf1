-- Per kind of change: the newest run that planned one, how its changes stand, and the newest confirmation.
-- :account, :kinds
select
    kinds.kind,
    newest.run_id,
    (
        select max(change.confirmed_at)
        from backmarket.changes as change
        where change.account = %(account)s and change.kind = kinds.kind and change.confirmed_at is not null
    ) as confirmed_at,
    (
        select jsonb_object_agg(counted.status, counted.changes)
        from (
            select change.status, count(*) as changes
            from backmarket.changes as change
            where
                change.account = %(account)s and change.kind = kinds.kind
                and change.run_id = newest.run_id and change.status <> 'superseded'
            group by change.status
        ) as counted
    ) as counts
from unnest(%(kinds)s::text []) as kinds (kind)
left join lateral (
    select change.run_id
    from backmarket.changes as change
    where change.account = %(account)s and change.kind = kinds.kind
    order by change.planned_at desc
    limit 1
) as newest on true
