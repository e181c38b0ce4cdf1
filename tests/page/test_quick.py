"""The page answers in under 300 ms, however much is stored."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from backmarket.warehouse.needs import NAMES
from local.machine_speed import slowness_of_database
from tests.page.given import add_orders, add_settlement_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


ORDERS = 200_000
VIEWS = (
    "",
    "orders/5000",
    "orders/1",
    "skus/SKU-7",
    "skus/none",
    "orders",
    "orders?market=de-de&sort=-amount&page=3",
    "listings",
    "listings?market=fr-fr&text=sku-4&sort=cover",
    *(f"needs/{name}" for name in NAMES),
    "needs/refused?text=max_price&days=1&sort=subject&page=20",
    "search?q=4999",
    "search?q=00000000",
    "search?q=nowhere",
    "inventory",
    "backbox",
    "backbox/within-floor",
    "backbox/all?market=de-de&sort=-gap&text=sku-4",
    "care-folders",
    "returns?kind=under way",
    "refunds",
    "changes",
    "changes?kind=price&text=max_price&sort=amount",
    "worked-off",
    "files",
    "worked-off?text=sku-4&sort=subject&page=3",
    "reports",
)


def test_the_page_is_quick_with_200000_orders(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Every view in under 300 ms, with 200,000 orders, 600,000 changes, 400,000 lines of statements and 100,000
    changes of BackBoxes.
    """
    add_orders(warehouse, ORDERS)
    add_settlement_lines(warehouse, ORDERS)
    _add_what_grows_with_them(warehouse)
    viewer = signed_in("viewer")
    slow = {}
    for path in VIEWS:
        assert viewer.get(f"/backmarket/{path}").status_code in {200, 404}
        # Whatever else runs on the machine only ever adds: the quickest of a few is what the page takes.
        seconds: list[float] = []
        while len(seconds) < 30 and min(seconds, default=1) >= 0.3:
            seconds.append(_seconds(viewer, path, warehouse))
        print(f"/backmarket/{path}: {min(seconds) * 1000:.0f} ms, tried {len(seconds)} times")
        if min(seconds) >= 0.3:
            slow[path] = f"{min(seconds) * 1000:.0f} ms"
    assert not slow


def _seconds(viewer: TestClient, path: str, warehouse: psycopg.Connection[Any]) -> float:
    """Return how long a view takes where the machine is at its full speed."""
    before = slowness_of_database(warehouse)
    began = perf_counter()
    viewer.get(f"/backmarket/{path}")
    seconds = perf_counter() - began
    # The speed may have changed in between: the better of both is the stricter.
    return seconds / min(before, slowness_of_database(warehouse))


def _add_what_grows_with_them(warehouse: psycopg.Connection[Any]) -> None:
    """Changes, refusals, differences, documents not understood, what listings showed, and what comes after the sale."""
    warehouse.execute(
        """
        insert into backmarket.changes (account, kind, subject, market, payload, status, reason, run_id, planned_at,
            sent_at, confirmed_at)
        select
            'default', (array['quantity', 'price'])[1 + n % 2], 'SKU-' || n % 5000, case when n % 2 = 1 then 'fr-fr'
            else '' end, '{"quantity": 3, "price": "9"}', case when n % 50 = 0 then 'refused' else 'confirmed' end,
            case when n % 50 = 0 then 'above max_price' end, 'run-' || n / 2000, now() - n * interval '10 seconds',
            now() - n * interval '10 seconds', case when n % 50 > 0 then now() - n * interval '10 seconds' end
        from generate_series(1, 500000) as n
        """
    )
    warehouse.execute(
        """
        insert into backmarket.settlement_findings (
            account, kind, subject, order_id, day, expected, actual, currency, detail, documents, status
        )
        select 'default', 'fee_difference', 'order ' || n, n, current_date, 20, 19, 'EUR', 'one less', '[]',
            case when n % 4 = 0 then 'open' else 'closed' end
        from generate_series(1, 20000) as n
        """
    )
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "select 'default', 'order', 'q' || n, '{}', 'price: not a number' from generate_series(1, 5000) as n"
    )
    warehouse.execute(
        "insert into backmarket.inventory_findings (account, kind, sku, detail) "
        "select 'default', 'stock_stale', 'SKU-' || n, 'counted yesterday' from generate_series(1, 5000) as n"
    )
    warehouse.execute(
        "insert into backmarket.listings (account, id, sku, title_market, quantity, first_seen_at, read_at) "
        "select 'default', md5(n::text)::uuid, 'SKU-' || n, 'fr-fr', 3, now(), now() from generate_series(1, 5000) as n"
    )
    warehouse.execute(
        "insert into backmarket.listing_offer_history (account, id, market, changed_at, price, currency, quantity) "
        "select 'default', md5((n % 5000)::text)::uuid, 'fr-fr', now() - n * interval '10 seconds', 9, 'EUR', 3 "
        "from generate_series(1, 300000) as n"
    )
    warehouse.execute(
        "insert into backmarket.listing_offers (account, id, market, price, currency, publication_state, document, "
        "first_seen_at, read_at) select 'default', md5(n::text)::uuid, market, 9, 'EUR', 2, '{}', now(), now() "
        "from generate_series(1, 5000) as n, unnest(array['fr-fr', 'de-de', 'es-es', 'it-it', 'nl-nl']) as market"
    )
    warehouse.execute(
        "insert into backmarket.backbox (account, id, market, price, price_to_win, winner_price, currency, is_winning, "
        "document, read_at) select 'default', md5(n::text)::uuid, market, 300, 280 + n % 40, 281, 'EUR', n % 3 = 0, "
        "'{}', now() from generate_series(1, 5000) as n, unnest(array['fr-fr', 'de-de']) as market"
    )
    warehouse.execute(
        "insert into backmarket.backbox_history (account, id, market, read_at, price, winner_price, currency, "
        "is_winning) select 'default', md5((n % 5000)::text)::uuid, "
        "(array['fr-fr', 'de-de', 'es-es', 'it-it'])[1 + n / 5000 % 4], now() - n * interval '30 seconds', 300, "
        "250 + n % 77, 'EUR', n % 7 = 0 from generate_series(1, 100000) as n"
    )
    # One whose price moved every hour, in every market.
    warehouse.execute(
        "insert into backmarket.backbox_history (account, id, market, read_at, price, winner_price, currency, "
        "is_winning) select 'default', md5('7')::uuid, market, now() - n * interval '1 hour' - interval '1 second', "
        "300 + n % 9, 250 + n % 77, 'EUR', n % 3 = 0 "
        "from generate_series(1, 700) as n, unnest(array['fr-fr', 'de-de', 'es-es', 'it-it']) as market"
    )
    warehouse.execute(
        "insert into backmarket.repricing (account, id, market, sku, currency, target, floor, ceiling, margin, "
        "margin_pct, verdict, reason, decided_at) select account, id, market, 'SKU', currency, 290, "
        "case when price_to_win <> 290 then 300 end, 320, 50, 17, 'hold', 'winner 281.00, floor 300.00', now() "
        "from backmarket.backbox"
    )
    warehouse.execute(
        "insert into seller.stock (sku, quantity, counted_at) "
        "select 'SKU-' || n, n % 9, now() from generate_series(1, 5000) as n"
    )
    warehouse.execute(
        "insert into backmarket.inventory (account, sku, id, stock, reserved, held, safety_qty, sellable, shown, "
        "wanted, planned_at) select 'default', 'SKU-' || n, md5(n::text)::uuid, 9, 1, 0, 1, 8, 7, 7, now() "
        "from generate_series(1, 5000) as n"
    )
    warehouse.execute(
        "insert into backmarket.need_marks (account, need, topic, mark, story, subject, detail, marked_by) "
        "select 'default', 'refused', 'price/fr-fr/SKU-' || n % 5000, 'ignored', 'sku', 'SKU-' || n % 5000, "
        "'price fr-fr · above max_price', 'admin' from generate_series(1, 20000) as n"
    )
    warehouse.execute(
        """
        insert into backmarket.care_folders (
            account, care_folder_id, order_id, state, country_code, date_creation, date_last_message, last_message_by,
            waits_for, waits_since, document, read_at
        )
        select
            'default', n, n * 4, case when n % 50 = 0 then 0 else 9 end, 'fr-fr', now() - n * interval '1 minute',
            now(), 'customer', case when n % 50 = 0 then 'seller' end,
            case when n % 50 = 0 then now() - n * interval '1 minute' end, '{}', now()
        from generate_series(1, 20000) as n
        """
    )
    warehouse.execute(
        "insert into backmarket.care_messages (account, care_folder_id, message_id, sender, kind, date_creation, "
        "message) select 'default', 1 + n % 20000, n, 'customer', 'CUSTOMER_TO_MERCHANT', now(), 'x' "
        "from generate_series(1, 20000) as n"
    )
    warehouse.execute(
        "insert into backmarket.returns (account, shipment_id, order_id, orderline_id, date_creation, date_delivery, "
        "document, read_at) select 'default', n, n * 4, n * 4 + 1000000, now(), case when n % 20 > 0 then now() end, "
        "'{}', now() from generate_series(1, 20000) as n"
    )
    warehouse.execute(
        """
        insert into backmarket.changes (account, kind, subject, payload, status, attempts, sent_at, confirmed_at)
        select
            'default', 'refund', (n * 4 + 1000000)::text,
            jsonb_build_object(
                'order_id', n * 4, 'orderline_id', n * 4 + 1000000, 'refund', 'refund', 'amount', '20.00', 'currency',
                'EUR', 'is_whole', false
            ),
            case when n % 100 = 0 then 'awaiting_approval' when n % 100 = 1 then 'unknown' else 'confirmed' end, 1,
            now() - interval '1 day', case when n % 100 > 1 then now() end
        from generate_series(1, 10000) as n
        """
    )
    warehouse.execute(
        "insert into backmarket.invoice_files (account, path, size, modified_at, order_id, sha256, reason) "
        "select 'default', n || '.pdf', 9, now(), n, 'x', case when n % 100 = 0 then 'no PDF' end "
        "from generate_series(1, 20000) as n"
    )
    warehouse.execute(
        "vacuum analyze backmarket.backbox, backmarket.backbox_history, backmarket.repricing, "
        "backmarket.care_folders, backmarket.care_messages, backmarket.returns, backmarket.changes, "
        "backmarket.invoice_files, backmarket.listing_offers, seller.stock, backmarket.need_marks, "
        "backmarket.settlement_findings, backmarket.quarantine, backmarket.inventory_findings, "
        " backmarket.listings, backmarket.listing_offer_history"
    )
