-- Store the rows of one file of a statement that is known, as far as they are not stored yet.
-- :account, :invoice_ref, :is_newest
--
-- Rows of an export older than what is stored are taken too, as vanished: the newer export lacks them. A row that an
-- even newer export has again is no longer vanished. A row names an order by its id, an orderline by its id, or a
-- parcel by its tracking number.
with merged as (
    insert into backmarket.settlement_lines as stored (
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
        line.designation, line.amount, not %(is_newest)s
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
    on conflict (account, content_hash, occurrence) do update set
        vanished = false
    where stored.vanished and %(is_newest)s
    returning stored.value_date
),

stale as (
    insert into backmarket.settlement_stale_days (account, day)
    select distinct %(account)s, value_date
    from merged
)

select count(*) from merged
