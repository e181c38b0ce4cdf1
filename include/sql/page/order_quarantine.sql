-- Documents of an order, and rows of the seller that name it, that could not be understood.
-- :account, :order_id
select
    last_seen_at as at,
    case when entity = 'order' then 'document' else 'seller' end as source,
    'not understood' as what,
    case when entity = 'order' then reason else concat(entity, ' · ', reason) end as detail
from backmarket.quarantine
where
    account = %(account)s
    and (
        (entity = 'order' and key = %(order_id)s::bigint::text)
        -- Rows that share a name are numbered: 7, 7 (2).
        or (
            entity in ('seller.shipments', 'seller.devices')
            and split_part(key, ' (', 1) = %(order_id)s::bigint::text
        )
    )
