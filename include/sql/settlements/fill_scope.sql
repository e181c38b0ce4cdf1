-- Orders that were written, or have a statement row on one of the days, or were shipped on one; and those of which
-- something may be due, or be due no longer, now that statements cover other days; and those whose return or refund is
-- due since the last comparison.
-- :account, :days, :first_days, :end_days (of what is covered, as long as each other), :due_days,
-- :refund_after_return_days, :return_after_refund_days
insert into settlement_scope (order_id)
with due as (
    select unnest(range_agg(daterange(first_day - %(due_days)s::integer, end_day))) as days
    from unnest(%(first_days)s::date [], %(end_days)s::date []) as covered (first_day, end_day)
),

periods as (
    select lower(days)::timestamp at time zone 'UTC' as began, upper(days)::timestamp at time zone 'UTC' as ended
    from due
),

-- Days are counted from midnight: two more than have passed hold all that may have become due.
last_time as (
    select compared_at - interval '2 days' as began
    from backmarket.settlement_comparisons
    where account = %(account)s
)

select order_id
from backmarket.settlement_lines
where account = %(account)s and order_id is not null and value_date = any(%(days)s::date [])
union all
select shipped.order_id
from unnest(%(days)s::date []) as day
inner join backmarket.orders as shipped
    on
        shipped.account = %(account)s
        and shipped.date_shipping >= day::timestamp at time zone 'UTC'
        and shipped.date_shipping < (day + 1)::timestamp at time zone 'UTC'
union all
select shipped.order_id
from periods
inner join backmarket.orders as shipped
    on
        shipped.account = %(account)s
        and shipped.date_shipping >= periods.began and shipped.date_shipping < periods.ended
union all
select changed.order_id
from periods
inner join backmarket.orders as changed
    on
        changed.account = %(account)s
        and coalesce(changed.date_modification, changed.read_at) >= periods.began
        and coalesce(changed.date_modification, changed.read_at) < periods.ended
union all
select parcel.order_id
from last_time
inner join backmarket.returns as parcel
    on
        parcel.account = %(account)s and parcel.order_id is not null
        and parcel.date_delivery >= last_time.began - make_interval(days => %(refund_after_return_days)s::integer)
        and parcel.date_delivery < now() - make_interval(days => %(refund_after_return_days)s::integer)
union all
select refunded.order_id
from last_time
inner join backmarket.orders as refunded
    on
        refunded.account = %(account)s
        and coalesce(refunded.date_modification, refunded.read_at)
        >= last_time.began - make_interval(days => %(return_after_refund_days)s::integer)
        and coalesce(refunded.date_modification, refunded.read_at)
        < now() - make_interval(days => %(return_after_refund_days)s::integer)
inner join backmarket.order_lines as line
    on line.account = %(account)s and refunded.order_id = line.order_id and line.state = 6
union all
select refund.order_id
from last_time
inner join backmarket.refunds_sent as refund
    on
        refund.account = %(account)s
        and refund.sent_at >= last_time.began - make_interval(days => %(return_after_refund_days)s::integer)
        and refund.sent_at < now() - make_interval(days => %(return_after_refund_days)s::integer)
on conflict (order_id) do nothing;
