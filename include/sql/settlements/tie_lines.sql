-- Tie rows to orders that have arrived since they were loaded; answers the days of those rows.
-- :account
with found as (
    select
        line.invoice_ref, line.line_id,
        coalesce(known_order.order_id, known_line.order_id, parcel.order_id) as order_id,
        case
            when known_order.order_id is not null then 'order'
            when known_line.order_id is not null then 'orderline'
            else 'tracking'
        end as tied_by
    from backmarket.settlement_lines as line
    left join backmarket.orders as known_order
        on line.account = known_order.account and line.number = known_order.order_id
    left join backmarket.order_lines as known_line
        on
            line.account = known_line.account
            and line.number = known_line.orderline_id
            and known_order.order_id is null
    left join (
        select account, tracking_number, min(order_id) as order_id
        from backmarket.orders
        where tracking_number <> ''
        group by account, tracking_number
    ) as parcel
        on line.account = parcel.account and line.tracking_number = parcel.tracking_number
    where
        line.account = %(account)s
        and line.tied_by is null
        and (line.number is not null or line.tracking_number is not null)
        and coalesce(known_order.order_id, known_line.order_id, parcel.order_id) is not null
)

update backmarket.settlement_lines as line
set order_id = found.order_id, tied_by = found.tied_by
from found
where
    line.account = %(account)s
    and line.invoice_ref = found.invoice_ref
    and line.line_id = found.line_id
returning line.value_date
