-- Order lines that may matter to a count or to a drop: not accepted yet, or made, paid or accepted since a moment. SKUs
-- whose count is older have a moment of their own, so that one old count does not bring the history of all others.
-- :account, :since, :sku (null for all), :keys and :sinces (SKUs as backmarket.sku_key gives them, and their moments)
with accepted as (
    select subject, min(confirmed_at) as accepted_at
    from backmarket.changes
    where account = %(account)s and kind = 'accept' and status = 'confirmed'
    group by subject
),

older as (
    select counted.sku_key, counted.since
    from unnest(%(keys)s::text [], %(sinces)s::timestamptz []) as counted (sku_key, since)
)

select
    line.orderline_id,
    line.order_id,
    line.sku,
    line.quantity,
    line.state,
    coalesce(line.date_creation, orders.date_creation) as created_at,
    orders.date_payment as paid_at,
    coalesce(accepted.accepted_at, line.accepted_seen_at) as accepted_at,
    line.gone_at is not null or orders.gone_at is not null as is_gone
from backmarket.order_lines as line
inner join backmarket.orders as orders on line.account = orders.account and line.order_id = orders.order_id
left join accepted on accepted.subject = line.orderline_id::text
left join older on backmarket.sku_key(line.sku) = older.sku_key
where
    line.account = %(account)s
    and line.sku is not null
    and (%(sku)s::text is null or backmarket.sku_key(line.sku) = backmarket.sku_key(%(sku)s))
    and (
        line.state in (0, 1, 8, 9)
        or coalesce(accepted.accepted_at, line.accepted_seen_at, 'infinity') > coalesce(older.since, %(since)s)
        or coalesce(line.date_creation, orders.date_creation, 'infinity') > coalesce(older.since, %(since)s)
        or orders.date_payment > coalesce(older.since, %(since)s)
    )
