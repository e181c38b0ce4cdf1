"""What the demo brought into the operational database, for a person to read."""

from __future__ import annotations

from collections import defaultdict
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
    if not orders:
        raise LocalError("All runs succeeded, but no order arrived: see what order_download says in its log.")
    console = Console()
    console.print()
    console.print(_orders_table(orders))
    console.print(_content_table(content, watermarks))


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
        table.add_column(_ORDER_STATES.get(state, f"state {state}"), str(totals[state]), justify="right")
    table.add_column("all", str(sum(totals.values())), justify="right")
    for market, of_market in sorted(by_market.items()):
        cells = [str(of_market.get(state, "")) for state in states]
        table.add_row(market, *cells, str(sum(of_market.values())))
    return table


def _content_table(counts: Iterable[Row], watermarks: Iterable[Row]) -> Table:
    table = Table(title="What else is stored", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts:
        table.add_row(name, str(count))
    for concern, market, moment in watermarks:
        table.add_row(" ".join(filter(None, (concern, market, "up to"))), f"{moment:%Y-%m-%d %H:%M:%S} UTC")
    return table
