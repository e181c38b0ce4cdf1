-- Store the rows of a statement that is new here: nothing to compare with, so no merge.
-- :account, :invoice_ref
--
-- A row names an order by its id, an orderline by its id, or a parcel by its tracking number.
insert into backmarket.settlement_lines (
    account, invoice_ref, currency, content_hash, occurrence, line_no, invoice_key, category, role, value_date,
    sku, order_id, number, tracking_number, tied_by, designation, amount, vanished
)
select
    %(account)s, %(invoice_ref)s, line.currency, line.content_hash, line.occurrence, line.line_no,
    line.invoice_key, line.category, line.role, line.value_date, line.sku,
    coalesce(known_order.order_id, known_line.order_id, parcel.order_id, line.number),
    line.number, line.tracking_number,
    case
        when known_order.order_id is not null then 'order'
        when known_line.order_id is not null then 'orderline'
        when parcel.order_id is not null then 'tracking'
    end,
    line.designation, line.amount, false
from staged_settlement_lines as line
left join backmarket.orders as known_order
    on known_order.account = %(account)s and line.number = known_order.order_id
left join backmarket.order_lines as known_line
    on known_line.account = %(account)s and line.number = known_line.orderline_id
    and known_order.order_id is null
left join (
    select tracking_number, min(order_id) as order_id
    from backmarket.orders
    where account = %(account)s and tracking_number <> ''
    group by tracking_number
) as parcel on line.tracking_number = parcel.tracking_number
