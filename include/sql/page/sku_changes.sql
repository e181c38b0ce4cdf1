-- The newest changes sent, or meant to be sent, for a SKU.
-- :account, :skus
select
    coalesce(change.confirmed_at, change.sent_at, change.planned_at) as at,
    'change' as source,
    concat(change.kind, ' ', change.status) as what,
    concat_ws(
        ' · ',
        nullif(change.market, ''),
        change.payload ->> 'quantity' || ' units',
        change.payload ->> 'price',
        change.reason,
        case when change.attempts > 1 then change.attempts || ' attempts' end
    ) as detail
from backmarket.changes as change
where
    change.account = %(account)s and change.kind in ('quantity', 'price', 'listing', 'product')
    and change.subject = any(%(skus)s) and change.status <> 'superseded'
order by change.change_id desc
limit 200
