"""What the demo brought into the operational database, for a person to read."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.table import Table

from local.failure import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = tuple[Any, ...]

# Back Market's states of an order; sorted as an order goes through them.
_ORDER_STATES = {0: "new", 10: "payment pending", 1: "to accept", 3: "to ship", 9: "processed", 8: "not paid"}

# What Back Market calls an order's country_code is a market, such as fr-fr.
_ORDERS = """
    select coalesce(country_code, '?'), state, count(*)
    from backmarket.orders
    group by 1, 2
"""
_CONTENT = """
    select 'order lines', count(*) from backmarket.order_lines
    union all select 'addresses', count(*) from backmarket.order_addresses
    union all select 'quarantined documents', count(*) from backmarket.quarantine
"""
_FILES = """
    select regexp_replace(path, '^.*/', ''), 'seller.' || target, row_count, new_rows, changed_rows, gone_rows, status
    from backmarket.seller_files
    order by read_at desc, path
    limit 12
"""
_OFFERS = """
    select market, count(*), count(*) filter (where publication_state = 2)
    from backmarket.listing_offers
    where gone_at is null
    group by market
    order by market
"""
_CATALOG = """
    select sku, verdict, replace(last_status, '_', ' '), array_to_string(reasons, '; ')
    from backmarket.catalog_readiness
    order by sku
"""
_QUANTITIES = """
    select
        plan.sku, plan.stock, plan.reserved, plan.held, plan.safety_qty, plan.max_qty,
        before.quantity, change.payload ->> 'quantity'
    from backmarket.changes as change
    inner join backmarket.inventory as plan on plan.account = change.account and plan.sku = change.subject
    left join lateral (
        select offer.quantity
        from backmarket.listing_offer_history as offer
        where
            offer.account = change.account
            and offer.id = (change.payload ->> 'id')::uuid
            and offer.changed_at < change.sent_at
        order by offer.changed_at desc
        limit 1
    ) as before on true
    where change.kind = 'quantity' and change.status = 'confirmed'
    order by change.change_id desc
    limit 12
"""
# Some of each status, or the most frequent would hide the others.
_PRICES = """
    select subject, market, old_price, new_price, replace(status, '_', ' ')
    from (
        select
            change.subject, change.market, before.price as old_price, change.payload ->> 'price' as new_price,
            change.status, row_number() over (partition by change.status order by change.change_id desc) as place
        from backmarket.changes as change
        left join lateral (
            select offer.price
            from backmarket.listing_offer_history as offer
            where
                offer.account = change.account
                and offer.id = (change.payload ->> 'id')::uuid
                and offer.market = change.market
                and offer.changed_at < coalesce(change.sent_at, now())
            order by offer.changed_at desc
            limit 1
        ) as before on true
        where change.kind = 'price' and change.status <> 'superseded'
    ) as changes
    where place <= 6
    order by status, place
"""
_ORDERS_OUT = """
    select
        case kind when 'accept' then 'acceptance' when 'tracking' then 'shipment' else 'identifier' end,
        replace(status, '_', ' '), count(*)
    from backmarket.changes
    where kind in ('accept', 'tracking', 'imei') and status <> 'superseded'
    group by kind, status
    order by kind, status
"""
_DESK = """
    select waits_for, count(*), count(*) filter (where hours_left < 0)
    from backmarket.order_desk
    group by waits_for
    order by count(*) desc
"""
# Counts alone: what customers write is nobody else's.
_SWITCHES = """
    select 'backmarket_care_download', format(
        'care folders: %s, messages: %s, customers who wait for an answer: %s',
        count(*), (select count(*) from backmarket.care_messages), count(*) filter (where waits_for = 'seller')
    )
    from backmarket.care_folders
    where gone_at is null
    union all
    select 'backmarket_returns_download', format(
        'deliveries: %s, returns: %s, returns that have arrived: %s',
        (select count(*) from backmarket.deliveries), count(*), count(date_delivery)
    )
    from backmarket.returns
    union all
    select sent.switch, coalesce((
        select string_agg(format('%s: %s', replace(status, '_', ' '), how_many), ', ' order by status)
        from (
            select status, count(*) as how_many
            from backmarket.changes
            where kind = sent.kind and status <> 'superseded'
            group by status
        ) as outcome
    ), 'nothing was to be sent')
    from (
        values ('backmarket_refund_upload', 'refund'), ('backmarket_invoice_upload', 'invoice')
    ) as sent (switch, kind)
"""
# The newest device that came back and was paid back whole; nothing of what the customer wrote, nor who that is.
_RETURN = """
    with refund as (
        select
            change.*, (change.payload ->> 'order_id')::bigint as order_id, change.subject::bigint as orderline_id,
            concat_ws(' ', change.payload ->> 'amount', change.payload ->> 'currency') as paid_back
        from backmarket.changes as change
        inner join backmarket.returns as parcel
            on change.account = parcel.account and change.subject = parcel.orderline_id::text
        where change.kind = 'refund' and change.status = 'confirmed' and change.payload ->> 'is_whole' = 'true'
        order by change.change_id desc
        limit 1
    ),

    folder as (
        select folder.*
        from refund
        inner join backmarket.care_folders as folder using (account, orderline_id)
        order by folder.care_folder_id desc
        limit 1
    ),

    steps (place, moment, what, details) as (
        select 1, date_creation, 'message came', format('care folder %s, order %s', care_folder_id, order_id)
        from folder
        union all
        select
            2, (label ->> 'date_creation')::timestamptz, 'return label made',
            lower(replace(label ->> 'kind', '_', ' '))
        from folder
        cross join jsonb_array_elements(folder.return_labels) as label
        union all
        select 3, parcel.date_delivery, 'device arrived', concat_ws(' ', parcel.carrier_name, parcel.tracking_number)
        from refund
        inner join backmarket.returns as parcel using (account, orderline_id)
        union all
        select 4, planned_at, 'refund planned', format('%s, for line %s', paid_back, orderline_id)
        from refund
        union all
        select 5, decided_at, approval.status, format('by %s, who was asked as %s', decided_by, approval.reason)
        from refund
        inner join backmarket.refund_approvals as approval using (account, orderline_id)
        where amount = (payload ->> 'amount')::numeric and decided_at is not null
        union all
        select 6, sent_at, 'sent', case attempts when 1 then 'once' else format('%s times', attempts) end
        from refund
        union all
        select 7, confirmed_at, 'confirmed', coalesce(reason, '')
        from refund
        union all
        select
            8, line.value_date, 'in a statement',
            format('%s, row %s: %s %s', line.invoice_ref, line.line_no, line.amount, line.currency)
        from refund
        inner join backmarket.settlement_lines as line using (account, order_id)
        where line.role = 'refund' and not line.vanished
    )

    select to_char(moment, case place when 8 then 'YYYY-MM-DD' else 'YYYY-MM-DD HH24:MI:SS' end), what, details
    from steps
    order by place, moment
"""
_STATEMENTS = """
    select invoice_ref, currency, line_count, total
    from backmarket.settlement_statements
    order by invoice_ref, currency
"""
_FINDINGS = """
    select
        replace(kind, '_', ' '),
        count(*),
        coalesce(sum(expected) || ' ' || coalesce(expected_currency, currency), '-'),
        coalesce(sum(actual) || ' ' || currency, '-')
    from backmarket.settlement_findings
    where status = 'open'
    group by kind, currency, expected_currency
    order by kind, currency
"""
# Per cent of the revenue of sales whose cost is known, best sellers first.
_MARGINS = """
    select
        sku, currency, count(*), sum(revenue), sum(commission + fees), sum(vat), sum(cost), sum(margin),
        round(sum(margin) * 100 / nullif(sum(revenue), 0), 1)
    from backmarket.profit
    where margin is not null
    group by sku, currency
    order by sum(revenue) desc
    limit 12
"""
_MOVES = """
    select
        subject, market, payload ->> 'old_price', payload ->> 'price', replace(status, '_', ' '),
        payload ->> 'why'
    from (
        select *, row_number() over (partition by status order by change_id desc) as place
        from backmarket.changes
        where kind = 'price' and payload ? 'why' and status <> 'superseded'
    ) as move
    where place <= 6
    order by status, place
"""
_HELD = """
    select regexp_replace(reason, '[0-9]+([.,][0-9]+)*', '…', 'g') as why, count(*)
    from backmarket.repricing
    where verdict = 'hold'
    group by why
    order by count(*) desc
    limit 8
"""
_WATERMARKS = """
    select concern, market, watermark
    from backmarket.sync_state
    where watermark is not null
    order by concern, market
"""


def print_summary(warehouse_uri: str) -> None:
    """Print what the operational database holds.

    :raises LocalError: if it holds no order: then something went wrong without a task failing.
    """
    with psycopg.connect(warehouse_uri) as connection:
        connection.execute("set timezone to 'UTC'")
        orders = connection.execute(_ORDERS).fetchall()
        content = connection.execute(_CONTENT).fetchall()
        watermarks = connection.execute(_WATERMARKS).fetchall()
        files = connection.execute(_FILES).fetchall()
        offers = connection.execute(_OFFERS).fetchall()
        catalog = connection.execute(_CATALOG).fetchall()
        quantities = connection.execute(_QUANTITIES).fetchall()
        prices = connection.execute(_PRICES).fetchall()
        orders_out = connection.execute(_ORDERS_OUT).fetchall()
        desk = connection.execute(_DESK).fetchall()
        switches = connection.execute(_SWITCHES).fetchall()
        story = connection.execute(_RETURN).fetchall()
        statements = connection.execute(_STATEMENTS).fetchall()
        findings = connection.execute(_FINDINGS).fetchall()
        margins = connection.execute(_MARGINS).fetchall()
        moves = connection.execute(_MOVES).fetchall()
        held = connection.execute(_HELD).fetchall()
    if not orders:
        raise LocalError("All runs succeeded, but no order arrived: see what order_download says in its log.")
    console = Console()
    console.print()
    console.print(_orders_table(orders))
    console.print(_content_table(content, watermarks))
    what_of_files = ("file", "fills", "rows", "new", "changed", "gone", "outcome")
    console.print(_table("Files of the seller, newest first", what_of_files, files))
    console.print(_table("Listings by market", ("market", "listings", "online"), offers))
    console.print(_table("What seller.catalog became", ("SKU", "verdict", "last change", "why not"), catalog))
    columns = ("SKU", "stock", "reserved", "held", "safety", "max", "was shown", "sent")
    console.print(_table("Quantities that changed", columns, quantities))
    console.print(_table("Prices that changed", ("SKU", "market", "old", "new", "status"), prices))
    console.print(_table("Orders accepted, shipped and identified", ("change", "status", "how many"), orders_out))
    console.print(_table("What open orders wait for", ("waits for", "orders", "past their ship-by time"), desk))
    console.print(_table("What the switches after the sale did", ("switch", "what it did"), switches))
    console.print(_table("Settlement statements", ("invoice", "currency", "rows", "total"), statements))
    console.print(
        _table(
            "What the statements do not explain (planted by the sandbox)",
            ("finding", "how many", "expected", "actual"),
            findings,
        )
    )
    console.print(_table("One return, from message to statement", ("when (UTC)", "what", "details"), story))
    of_margins = ("SKU", "currency", "sold", "revenue", "fees", "VAT", "cost", "margin", "%")
    console.print(_table("Margin by SKU", of_margins, margins))
    console.print(_table("Moves for the BackBox", ("SKU", "market", "old", "new", "status", "why"), moves))
    console.print(_table("Prices that repricing left as they are", ("why", "how many"), held))


def _table(title: str, columns: tuple[str, ...], rows: Iterable[Row]) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _text(cell: object) -> str:
    """Write a cell for a person: numbers with separators, nothing where there is nothing."""
    if isinstance(cell, int | Decimal):
        return f"{cell:,}"
    return "" if cell is None else str(cell)


def _orders_table(counts: Iterable[Row]) -> Table:
    by_market: dict[str, dict[int, int]] = defaultdict(dict)
    for market, state, count in counts:
        by_market[market][state] = count
    met = {state for of_market in by_market.values() for state in of_market}
    states = [state for state in _ORDER_STATES if state in met] + sorted(met - set(_ORDER_STATES))

    table = Table(title="Orders by market and state", title_justify="left", show_footer=True)
    table.add_column("market", "all")
    totals = {state: sum(of_market.get(state, 0) for of_market in by_market.values()) for state in states}
    for state in states:
        table.add_column(_ORDER_STATES.get(state, f"state {state}"), _text(totals[state]), justify="right")
    table.add_column("all", _text(sum(totals.values())), justify="right")
    for market, of_market in sorted(by_market.items()):
        cells = [_text(of_market.get(state)) for state in states]
        table.add_row(market, *cells, _text(sum(of_market.values())))
    return table


def _content_table(counts: Iterable[Row], watermarks: Iterable[Row]) -> Table:
    table = Table(title="What else is stored", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts:
        table.add_row(name, _text(count))
    for concern, market, moment in watermarks:
        table.add_row(" ".join(filter(None, (concern, market, "up to"))), f"{moment:%Y-%m-%d %H:%M:%S} UTC")
    return table
