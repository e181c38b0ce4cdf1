-- Refused changes that nothing newer took the place of; no acceptances of lines that can no longer be accepted. Either
-- those that wait for something that should come by itself: for more than a day and at most 30. Or all others, refused by
-- us or by Back Market in the last 14 days. A price or refund that a person declined is decided, and needs nobody; "a
-- person refused it" is how older versions wrote that.
-- :account, :kinds, :waiting
select
    case
        when change.kind in ('accept', 'imei', 'tracking', 'refund', 'invoice') then 'order' else 'sku'
    end as story,
    coalesce(
        line.order_id::text, case when change.kind = 'refund' then change.payload ->> 'order_id' end, change.subject
    ) as subject,
    change.kind,
    change.market,
    change.reason as why,
    concat_ws(' ', change.kind, nullif(change.market, ''), '·', change.reason) as detail,
    case change.kind
        when 'price' then (change.payload ->> 'price')::numeric
        when 'refund' then (change.payload ->> 'amount')::numeric
    end as amount,
    case when change.kind in ('price', 'refund') then change.payload ->> 'currency' end as currency,
    change.planned_at as since,
    change.run_id,
    -- Through JSON, as a database that no run has brought up to date yet has no such column.
    to_jsonb(change) -> 'refused_in' as refused_in,
    concat_ws('/', change.kind, change.market, change.subject) as topic
from (
    -- Of all refusals of one subject the newest alone can be what nothing took the place of.
    select distinct on (kind, subject, market) *
    from backmarket.changes
    where
        account = %(account)s and status = 'refused' and kind = any(%(kinds)s)
        and planned_at >= now() - case when %(waiting)s then interval '30 days' else interval '14 days' end
        and (not %(waiting)s or planned_at < now() - interval '1 day')
        and (coalesce(reason, '') like 'waits: %%') = %(waiting)s
        and not (
            kind in ('price', 'refund') and attempts = 0
            and (reason like 'declined by %%' or reason like '%%: a person refused it')
        )
    order by kind asc, subject asc, market asc, change_id desc
) as change
left join lateral (
    select order_line.order_id, order_line.state
    from backmarket.order_lines as order_line
    where
        change.kind in ('accept', 'imei') and order_line.account = change.account
        and order_line.orderline_id = case when change.subject ~ '^\d{1,18}$' then change.subject::bigint end
    -- One at a time: there are few of these, and many lines.
    limit 1
) as line on true
where
    (change.kind <> 'accept' or line.state is null or line.state = 1)
    and not exists (
        select 1
        from backmarket.changes as newer
        where
            newer.account = change.account and newer.kind = change.kind and newer.subject = change.subject
            and newer.market = change.market and newer.change_id > change.change_id
            and newer.status <> 'superseded'
    );
