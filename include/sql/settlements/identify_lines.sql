-- Give each staged row its identity, and tie it to its order as far as orders are known here.
-- :account
--
-- A row names an order by its id, an orderline by its id, or a parcel by its tracking number. trim_scale makes 12.50
-- and 12.5 one amount: exports differ in that.
insert into identified_settlement_lines
with hashed as (
    select
        *,
        md5(
            concat_ws(
                e'\x1f', invoice_key, value_date::text, coalesce(sku, ''), coalesce(number::text, ''),
                designation, trim_scale(amount)::text
            )
        )::uuid as content_hash
    from staged_settlement_lines
)

select
    hashed.line_no, hashed.invoice_key, hashed.category, hashed.role, hashed.value_date, hashed.sku, hashed.number,
    hashed.tracking_number, hashed.designation, hashed.amount, hashed.currency, hashed.content_hash,
    row_number() over (partition by hashed.currency, hashed.content_hash order by hashed.line_no)::integer as occurrence,
    coalesce(known_order.order_id, known_line.order_id, parcel.order_id, hashed.number) as order_id,
    case
        when known_order.order_id is not null then 'order'
        when known_line.order_id is not null then 'orderline'
        when parcel.order_id is not null then 'tracking'
    end as tied_by
from hashed
left join backmarket.orders as known_order
    on known_order.account = %(account)s and hashed.number = known_order.order_id
left join backmarket.order_lines as known_line
    on known_line.account = %(account)s and hashed.number = known_line.orderline_id and known_order.order_id is null
left join (
    select tracking_number, min(order_id) as order_id
    from backmarket.orders
    where account = %(account)s and tracking_number <> ''
    group by tracking_number
) as parcel on hashed.tracking_number = parcel.tracking_number
