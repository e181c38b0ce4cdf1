-- Every change sent, or meant to be sent, for an order and its lines.
-- :account, :order_id
with subjects as (
    select %(order_id)s::bigint::text as subject
    union
    select orderline_id::text from backmarket.order_lines where account = %(account)s and order_id = %(order_id)s
)

select
    coalesce(change.confirmed_at, change.sent_at, change.planned_at) as at,
    'change' as source,
    concat(change.kind, ' ', change.status) as what,
    concat_ws(
        ' · ',
        case when change.subject <> %(order_id)s::bigint::text then 'line ' || change.subject end,
        change.reason,
        case when change.attempts > 1 then change.attempts || ' attempts' end
    ) as detail
from subjects
inner join backmarket.changes as change
    on change.account = %(account)s and change.kind in ('accept', 'tracking', 'imei') and change.subject = subjects.subject
