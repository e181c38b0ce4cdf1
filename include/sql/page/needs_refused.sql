-- Changes refused in the last 14 days, by us or by Back Market, unless something newer took their place.
-- :account, :kinds, :since, :most
select
    case
        when change.kind in ('accept', 'imei', 'tracking') then 'order' else 'sku'
    end as story,
    coalesce(line.order_id::text, change.subject) as subject,
    concat_ws(' ', change.kind, nullif(change.market, ''), '·', change.reason) as detail,
    change.planned_at as since,
    count(*) over () as total
from backmarket.changes as change
left join backmarket.order_lines as line
    on
        change.kind in ('accept', 'imei') and line.account = change.account
        and line.orderline_id = case when change.subject ~ '^\d{1,18}$' then change.subject::bigint end
where
    change.account = %(account)s and change.status = 'refused' and change.kind = any(%(kinds)s)
    and change.planned_at >= greatest(%(since)s, now() - interval '14 days')
    and not exists (
        select 1
        from backmarket.changes as newer
        where
            newer.account = change.account and newer.kind = change.kind and newer.subject = change.subject
            and newer.market = change.market and newer.change_id > change.change_id
            and newer.status <> 'superseded'
    )
order by change.planned_at desc
limit %(most)s
