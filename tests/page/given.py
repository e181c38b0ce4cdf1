"""What the tests of the page stand on: stored orders, and what a page's forms and Variables say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from backmarket.warehouse import sql

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    import psycopg


def form_token(page: str) -> str:
    """Return what a form of a page has to bring back."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found.group(1)


def switch(page: str, key: str) -> str:
    """Return the button of a Variable's switch."""
    found = re.search(rf'id="{key}".*?(<button.*?>)', page, flags=re.DOTALL)
    assert found
    return found.group(1)


def stored(key: str) -> str | None:
    """Return what Airflow's database holds of a Variable."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalar(select(Variable).where(Variable.key == key))
        return found.val if found else None


def add_orders(warehouse: psycopg.Connection[Any], count: int) -> None:
    """Store orders of the last 90 days, one line each, a few of them late, and changes for half of them.

    What is shipped has a tracking number; an odd order has an IMEI, an even one a serial number.
    """
    warehouse.execute(
        """
        insert into backmarket.orders (
            account, order_id, state, country_code, currency, price, tracking_number, date_creation, date_payment,
            expected_dispatch_date, date_modification, document, first_seen_at, read_at
        )
        select
            'default', n, case when n %% 50 = 0 then 3 else 9 end,
            (array['fr-fr', 'de-de', 'es-es'])[1 + n %% 3], 'EUR',
            199.90, case when n %% 50 > 0 then 'TRK' || lpad(n::text, 9, '0') || 'FR' end,
            now() - (n %% 90) * interval '1 day', now(), now() + (n %% 3 - 1) * interval '1 day', now(), '{}',
            now(), now()
        from generate_series(1, %(count)s) as n
        """,
        {"count": count},
    )
    warehouse.execute(
        """
        insert into backmarket.order_lines (
            account, orderline_id, order_id, sku, quantity, price, currency, state, imei, serial_number, date_creation,
            first_seen_at, first_seen_state
        )
        select
            'default', n + 1000000, n, 'SKU-' || n %% 500, 1, 199.90, 'EUR',
            case when n %% 1000 = 0 then 1 else 3 end,
            case when n %% 2 = 1 then (353000000000000 + n)::text end,
            case when n %% 2 = 0 then 'SER-' || lpad(n::text, 8, '0') end, now() - (n %% 90) * interval '1 day',
            now(), 1
        from generate_series(1, %(count)s) as n
        """,
        {"count": count},
    )
    warehouse.execute(
        """
        insert into backmarket.changes (account, kind, subject, payload, status, reason, run_id, sent_at, confirmed_at)
        select
            'default', 'accept', (n + 1000000)::text, '{}', case when n %% 1000 = 0 then 'refused' else 'confirmed' end,
            case when n %% 1000 = 0 then 'no stock' end, 'run-' || n / 100, now() - (n %% 90) * interval '1 day',
            case when n %% 1000 > 0 then now() end
        from generate_series(1, %(count)s / 2) as n
        """,
        {"count": count},
    )
    # As autovacuum does within a minute.
    warehouse.execute("vacuum analyze backmarket.orders, backmarket.order_lines, backmarket.changes")


def add_settlement_lines(warehouse: psycopg.Connection[Any], orders: int) -> None:
    """Store two lines of statements for each order: its sale and its commission."""
    warehouse.execute(
        """
        insert into backmarket.settlement_lines (
            account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, order_id,
            tied_by, designation, amount, first_export
        )
        select
            'default', '20261120-EU-H-' || n %% 13, 'EUR', n * 2 + kind.place, n, kind.invoice_key,
            kind.category, kind.role, current_date - n %% 90, n, 'order', kind.designation, kind.amount, now()
        from
            generate_series(1, %(orders)s) as n,
            (
                values
                (0, 'sales', 'revenue', 'sale', 'sale of an iPhone', 189.90),
                (1, 'sales_fees', 'fees', 'commission', 'commission', -19.90)
            ) as kind (place, invoice_key, category, role, designation, amount)
        """,
        {"orders": orders},
    )
    warehouse.execute("vacuum analyze backmarket.settlement_lines")
    sum_settlement_lines(warehouse)


def sum_settlement_lines(warehouse: psycopg.Connection[Any]) -> None:
    """Add up the stored lines of statements by day, as a reconciliation does."""
    for step in ("delete_day_sums", "sum_days"):
        everything = {"account": "default", "everything": True, "days": []}
        warehouse.execute(sql.statement(f"settlements/{step}"), everything)
    warehouse.execute("vacuum analyze backmarket.settlement_day_sums")


def add_backbox(
    warehouse: psycopg.Connection[Any],
    sku: str,
    market: str,
    *,
    price: Decimal | int | str | None,
    to_win: Decimal | int | str | None,
    winner: Decimal | int | str | None,
    floor: int | None = None,
    ceiling: int | None = None,
    target: int | None = None,
    margin: int | None = None,
    is_winning: bool = False,
    is_decided: bool = True,
    reason: str = "as it is",
    currency: str = "EUR",
    account: str = "default",
    read_at: datetime | None = None,
) -> UUID:
    """Store where a listing stands in a market's BackBox, and what repricing decided; return the listing's id.

    :param is_decided: whether it decided anything.
    """
    listing = uuid5(NAMESPACE_URL, f"{account}/{sku}")
    given = locals()
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title_market, first_seen_at, read_at) "
        "values (%(account)s, %(listing)s, %(sku)s, %(market)s, now(), now()) on conflict do nothing",
        given,
    )
    warehouse.execute(
        "insert into backmarket.backbox (account, id, market, price, price_to_win, winner_price, currency, is_winning, "
        "document, read_at) values (%(account)s, %(listing)s, %(market)s, %(price)s, %(to_win)s, %(winner)s, "
        "%(currency)s, %(is_winning)s, '{}', coalesce(%(read_at)s, now()))",
        given,
    )
    if is_decided:
        warehouse.execute(
            "insert into backmarket.repricing (account, id, market, sku, currency, target, floor, ceiling, margin, "
            "margin_pct, verdict, reason, decided_at) values (%(account)s, %(listing)s, %(market)s, %(sku)s, "
            "%(currency)s, %(target)s, %(floor)s, %(ceiling)s, %(margin)s, %(margin)s::numeric * 100 / %(price)s, "
            "case when %(floor)s::numeric is null then 'hold' else 'move' end, %(reason)s, now())",
            given,
        )
    return listing
