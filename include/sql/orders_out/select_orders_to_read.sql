-- Orders that the seller's tables name and that are unknown here, or were not wholly accepted when last read.
-- :account
select named.order_id
from (
    select order_id::bigint from seller.shipments where account = %(account)s
    union
    select order_id::bigint from seller.devices where account = %(account)s
) as named
left join backmarket.orders as orders on orders.account = %(account)s and orders.order_id = named.order_id
where
    named.order_id is not null
    and (
        orders.order_id is null
        or exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = %(account)s
                and line.order_id = named.order_id
                and line.gone_at is null
                and line.state in (0, 1, 8, 9)
        )
    )
order by named.order_id desc
