-- Numbers of orders, as texts, that the seller's tables name and that are unknown here, or were not wholly accepted
-- when last read.
-- :account
select named.order_id
from (
    select order_id::text from seller.shipments where account::text = %(account)s
    union
    select order_id::text from seller.devices where account::text = %(account)s
) as named
left join backmarket.orders as orders
    on orders.account = %(account)s and backmarket.plain_number(named.order_id) = orders.order_id::text
where
    named.order_id is not null
    and (
        orders.order_id is null
        or exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = orders.account
                and line.order_id = orders.order_id
                and line.gone_at is null
                and line.state in (0, 1, 8, 9)
        )
    )
