"""Years of finished orders, and what was sent and paid for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

# Orders of the last three years, all shipped and closed a month ago or longer, what was sent and paid for them.
_HISTORY = (
    """
    insert into backmarket.orders (
        account, order_id, state, country_code, currency, price, shipping_price, date_creation, date_modification,
        date_payment, date_shipping, document, first_seen_at, read_at
    )
    select
        'default', 10000000000 + n, 9, 'fr-fr', 'EUR', 199.99, 0, at, at + interval '3 days', at,
        at + interval '2 days', '{}', at, at + interval '3 days'
    from (
        select n, now() - interval '30 days' - interval '1000 days' * (n::float8 / %(orders)s) as at
        from generate_series(1, %(orders)s) as n
    ) as made
    """,
    """
    insert into backmarket.order_lines (
        account, orderline_id, order_id, sku, quantity, price, shipping_price, currency, state, imei, date_creation,
        first_seen_at, first_seen_state, accepted_seen_at
    )
    select
        account, order_id, order_id, listed.sku, 1, price, 0, 'EUR', 3, '35' || lpad(order_id::text, 13, '0'),
        date_creation, first_seen_at, 1, date_creation + interval '1 hour'
    from backmarket.orders
    cross join (
        select count(*) as skus from backmarket.listings where gone_at is null and sku is not null
    ) as every
    inner join (
        select sku, row_number() over (order by sku) - 1 as place
        from backmarket.listings where gone_at is null and sku is not null
    ) as listed on listed.place = order_id %% every.skus
    where order_id > 10000000000
    """,
    """
    insert into backmarket.changes (
        account, kind, subject, payload, status, attempts, run_id, planned_at, sent_at, confirmed_at
    )
    select
        'default', kind, case kind when 'quantity' then line.sku else line.order_id::text end,
        '{"quantity": 1}', 'confirmed', 1, 'history', at, at, at
    from (
        select *, first_seen_at + interval '1 hour' as at from backmarket.order_lines where order_id > 10000000000
        order by order_id limit %(changes)s / 4
    ) as line
    cross join unnest(array['accept', 'tracking', 'imei', 'quantity']) as kind
    """,
    """
    insert into seller.shipments (account, order_id, tracking_number, shipper, shipped_at)
    select account, order_id, 'T' || order_id, 'dhl express', date_shipping
    from backmarket.orders where order_id > 10000000000 order by order_id limit 250
    """,
    """
    insert into seller.devices (account, order_id, orderline_id, sku, imei)
    select account, order_id, orderline_id, sku, imei
    from backmarket.order_lines where order_id > 10000000000 order by order_id limit 250
    """,
    # Statements of each week, issued on its Monday: every thousandth sale is a euro short.
    """
    insert into backmarket.settlement_lines (
        account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, order_id, number,
        tied_by, designation, amount, first_export
    )
    select
        account, to_char(monday, 'YYYYMMDD') || '-EU-H-1', 'EUR', row_number() over week, row_number() over week,
        'sales', 'revenue', 'sale', day, order_id, order_id, 'order', 'Phone',
        price - (order_id %% 1000 = 0)::integer, monday
    from (
        select *, date_trunc('week', day)::date + 7 as monday
        from (
            select *, (date_shipping at time zone 'UTC')::date + 3 as day
            from backmarket.orders where order_id > 10000000000
        ) as settled
    ) as issued
    window week as (partition by monday order by order_id)
    order by monday, order_id
    """,
    """
    insert into backmarket.settlement_statements (
        account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
    )
    select
        account, invoice_ref, currency, invoice_ref || '.csv', md5(invoice_ref), max(first_export),
        left(invoice_ref, 8)::date, daterange(left(invoice_ref, 8)::date - 7, left(invoice_ref, 8)::date), count(*),
        sum(amount)
    from backmarket.settlement_lines
    group by account, invoice_ref, currency
    """,
)


def fill_history(connection: psycopg.Connection[Any], *, orders: int, changes: int) -> None:
    """Store so many orders and changes, of the SKUs of the listings that are stored."""
    for statement in _HISTORY:
        connection.execute("analyze")
        connection.execute(statement.encode(), {"orders": orders, "changes": changes})
