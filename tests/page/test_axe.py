"""Axe-core, which knows the rules of accessible pages, finds nothing on any page, light or dark, wide or narrow.

None of them is wider than its window. Skipped where no Chromium is found.
"""

from __future__ import annotations

import io
import re
import shutil
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import pytest
from airflow.sdk import ObjectStoragePath
from starlette.routing import Route

from backmarket.hooks.uploads import keep
from backmarket.page.app import create_page
from backmarket.page.lists import LISTS_OF_BACKBOX
from backmarket.warehouse.needs import NAMES
from tests.page.given import add_orders, add_settlement_lines, sum_settlement_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psycopg
    from playwright.sync_api import Browser
    from playwright.sync_api import Route as Request
    from starlette.testclient import TestClient

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOST = "http://localhost"
SKU = "SKU-50"
EXAMPLES = {
    "name": NAMES,
    "group": tuple(LISTS_OF_BACKBOX),
    "order_id": ("50", "123"),
    "sku": (SKU, "unknown"),
    "run_id": ("run",),
}
UPLOADS = {
    "seller_files": (
        "stock.csv",
        b"sku,quantity,counted_at,shelf\n"
        + b"".join(b"S%d,7,2026-11-26T07:00:00Z,x\n" % n for n in range(30))
        + b"A,x,,\n",
    ),
    "settlements": (
        "statement.csv",
        b"invoice_key,value_date,sku,order_id,designation,amount,currency\nsales,2026-11-20,A,50,sale,199.90,EUR\n",
    ),
}
PERIOD = "first_day=2026-09-01&last_day=2026-09-30"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
    pytest.mark.timeout(600),
]


def _paths() -> Iterator[str]:
    """Yield the address of every page, with examples of what it is about: one that is added comes by itself."""
    for route in create_page().routes:
        if not isinstance(route, Route) or "GET" not in (route.methods or ()):
            continue
        path = route.path.removeprefix("/")
        if path in {"reports/period", "reports/orders"}:
            yield f"{path}?{PERIOD}"
        elif path == "files/preview":
            yield from (f"{path}?stem={stem}&upload={sha256(data).hexdigest()}" for stem, (_, data) in UPLOADS.items())
        elif found := re.search(r"\{(\w+)(?::path)?\}", path):
            yield from (path.replace(found[0], example) for example in EXAMPLES[found[1]])
        else:
            yield path
    yield "needs/nonsense"


# What reaches over the right edge of a page that has to be moved sideways to be read.
_BEYOND = """
() => document.documentElement.scrollWidth <= window.innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > window.innerWidth)
  .map((each) => each.outerHTML.slice(0, 120))
"""


@pytest.fixture
def busy(
    warehouse: psycopg.Connection[Any],
    dags_of: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Two accounts, and something of every kind that can wait for a person, failed tasks and paused DAGs included."""
    dags_of("default", "us")
    for name in ("enabled", "order_download", "prices_upload"):
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_MAX_QTY", "many")
    for stem, name in (("seller_files", "seller"), ("settlements", "settlement")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{name.upper()}_INBOX", (tmp_path / name).as_uri())
        keep(
            ObjectStoragePath((tmp_path / name).as_uri()),
            UPLOADS[stem][0],
            io.BytesIO(UPLOADS[stem][1]),
            now=datetime.now(UTC),
        )
    _fail("backmarket_listings", "markets")
    add_orders(warehouse, 2000)
    add_settlement_lines(warehouse, 100)
    warehouse.execute(_BUSY)
    sum_settlement_lines(warehouse)


def _fail(dag_id: str, task_id: str) -> None:
    """Have a task fail in the newest run of its DAG."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with create_session() as session:
        dag = SerializedDagModel.get_dag(dag_id, session=session)
        assert dag is not None
        run = dag.create_dagrun(
            run_id="failed",
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.FAILED,
            session=session,
        )
        run.start_date = datetime.now(UTC)
        for task in run.get_task_instances(session=session):
            task.state = "failed" if task.task_id == task_id else "success"


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1240), ("dark", 1240), ("dark", 390)])
def test_axe_finds_nothing_on_any_page(
    signed_in: Callable[[str], TestClient],
    busy: None,
    chromium: Browser,
    scheme: Literal["light", "dark"],
    width: int,
) -> None:
    """As an administrator sees them, who has all switches and fields."""
    from axe_playwright_python.sync_playwright import Axe

    admin = signed_in("admin")

    def answer(request: Request) -> None:
        found = admin.get(request.request.url.removeprefix(HOST), follow_redirects=True)
        request.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    page = chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 860})
    page.route("**/*", answer)
    page.goto(f"{HOST}/backmarket/")
    kinds = page.locator("section[aria-labelledby=needs] h3").count()
    assert kinds == len(NAMES) + 2, "every kind, failed tasks and DAGs that do not run"
    violations: dict[str, list[str]] = {}
    too_wide = {}
    looked_at = []
    for path in _paths():
        page.goto(f"{HOST}/backmarket/{path}")
        looked_at.append(page.title())
        found = Axe().run(page).response["violations"]
        for each in found:
            nodes = [f"{node['html']}: {node['failureSummary']}" for node in each["nodes"][:3]]
            violations[f"{path}: {each['id']}"] = nodes
        if beyond := page.evaluate(_BEYOND):
            too_wide[path] = beyond
    assert violations == {}
    assert too_wide == {}
    assert len(set(looked_at)) > len(NAMES)


_BUSY = """
insert into backmarket.accounts (account, host, platform, token_fingerprint, token_valid, checked_at)
values ('default', 'www.backmarket.fr', 'EU', 'f', true, now()), ('us', 'www.backmarket.com', 'NA', 'g', false, now());

insert into backmarket.changes (
    account, kind, subject, market, payload, status, reason, run_id, planned_at, confirmed_at
)
select 'default', kind, subject, 'fr-fr', payload, status, reason, 'run', now() - interval '25 hours', confirmed_at
from (
    values
    (
        'price', 'SKU-50', '{"price": "60", "old_price": "100", "currency": "EUR"}'::jsonb, 'awaiting_approval', null,
        null
    ),
    ('price', 'SKU-51', '{}', 'refused', 'above max_price', null),
    ('tracking', '50', '{}', 'refused', 'waits: the tracking number is missing', null),
    ('quantity', 'SKU-50', '{"quantity": 3}', 'confirmed', null, now())
) as given (kind, subject, payload, status, reason, confirmed_at);

insert into backmarket.changes (
    account, kind, subject, payload, status, reason, run_id, attempts, sent_at
)
select
    'default', 'refund', line::text,
    jsonb_build_object(
        'order_id', 50, 'orderline_id', line, 'refund', 'refund', 'amount', '20.00', 'currency', 'EUR',
        'is_whole', false
    ),
    status, reason, 'run', attempts, sent_at
from (
    values
    (1000050, 'awaiting_approval', '20.00 EUR is above 0', 0, null),
    (1000051, 'unknown', 'the answer was lost', 1, now() - interval '1 hour')
) as given (line, status, reason, attempts, sent_at);

insert into backmarket.care_folders (
    account, care_folder_id, order_id, state, country_code, issues, return_labels, date_creation, date_last_message,
    last_message_by, waits_for, waits_since, document, read_at
)
values (
    'default', 7, 50, 0, 'fr-fr', array['SCREEN_BROKEN'], '[{"url": "/label.pdf", "state": "ALIVE"}]',
    now() - interval '3 days', now() - interval '2 days', 'customer', 'seller', now() - interval '2 days', '{}', now()
);

insert into backmarket.care_messages (account, care_folder_id, message_id, sender, kind, date_creation, message)
values ('default', 7, 1, 'customer', 'CUSTOMER_TO_MERCHANT', now() - interval '2 days', 'It is broken. Jane');

insert into backmarket.returns (
    account, shipment_id, order_id, tracking_number, label_url, date_creation, document, read_at
)
values ('default', 8, 50, 'R-1', 'https://example.com/label.pdf', now(), '{}', now());

insert into backmarket.after_sales_parts (account, part, unavailable_since, asked_at, reason)
values ('default', 'deliveries', now(), now(), 'GET /ws/shipping/v1/deliveries: 404');

insert into backmarket.invoice_files (account, path, size, modified_at, reason)
values ('default', 'file:///invoices/Jane Doe.pdf', 9, now(), 'the file''s name is not like *{order_id}.pdf');

insert into backmarket.settlement_findings (
    account, kind, subject, order_id, day, expected, actual, currency, detail, documents, status
)
select 'default', 'fee_difference', 'order ' || n, n, '2026-09-08', 20, 19, 'EUR', 'one less', '[]', 'open'
from generate_series(40, 60) as n;

insert into backmarket.settlement_lines (
    account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, designation, amount,
    first_export
)
values ('default', '20260914-EU-H-1', 'EUR', 1, 1, 'fee', 'service', '', '2026-09-08', 'fee', -4.50, now());

insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html)
select 'default', 'run', '2026-09-01', '2026-09-14',
    '<!doctype html><html lang="en"><head><title>Report</title></head><body><main><h1>Report</h1></main></body></html>';

insert into backmarket.inventory_findings (account, kind, sku, detail)
values ('default', 'stock_stale', 'SKU-50', 'counted three days ago');

insert into backmarket.inventory (
    account, sku, id, stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, planned_at
)
values ('default', 'SKU-50', md5('50')::uuid, 7, 1, 1, 0, 5, 5, 3, 5, now());

insert into backmarket.listings (account, id, sku, title_market, title, quantity, first_seen_at, read_at)
values ('default', md5('50')::uuid, 'SKU-50', 'fr-fr', 'a phone', 3, now(), now());

insert into backmarket.listing_offers (
    account, id, market, price, currency, publication_state, document, first_seen_at, read_at
)
values ('default', md5('50')::uuid, 'fr-fr', 100, 'EUR', 2, '{}', now(), now());

insert into backmarket.backbox (
    account, id, market, price, price_to_win, winner_price, currency, is_winning, document, read_at
)
select 'default', md5('50')::uuid, market, 100, to_win, 95, 'EUR', is_winning, '{}', now()
from (
    values
    ('fr-fr', 95, false), ('de-de', 80, false), ('es-es', 95, false), ('it-it', 100, true)
) as given (market, to_win, is_winning);

insert into backmarket.backbox_history (account, id, market, read_at, price, winner_price, currency, is_winning)
select
    'default', md5('50')::uuid, market, now() - days * interval '1 day', 100 + days, 95 + days % 7, 'EUR', days % 3 = 0
from generate_series(1, 28) as days, unnest(array['fr-fr', 'de-de', 'es-es', 'it-it']) as market;

insert into backmarket.repricing (
    account, id, market, sku, currency, target, floor, ceiling, margin, margin_pct, verdict, reason, decided_at
)
values
(
    'default', md5('50')::uuid, 'fr-fr', 'SKU-50', 'EUR', 95, 90, 120, 20, 21.05, 'move',
    'winner 95.00, floor 90.00, so 95.00', now()
),
(
    'default', md5('50')::uuid, 'de-de', 'SKU-50', 'EUR', null, 90, 120, 25, 25, 'hold',
    '80.00 would win, floor 90.00, at its ceiling', now()
),
(
    'default', md5('50')::uuid, 'es-es', 'SKU-50', 'EUR', null, null, null, null, null, 'hold',
    'no cost is known: fill seller.costs', now()
);

insert into backmarket.quarantine (account, entity, key, document, reason)
values ('default', 'order', '50', '{}', 'price: not a number'),
('default', 'seller.stock', 'SKU-50', '{}', 'quantity is ''x'': a whole number is needed');

insert into backmarket.feeds (account, feed, row_count, left_out, reasons, unusable_since)
values ('default', 'seller.stock', 122, 122, array['sku SKU-50: quantity is ''x'''], now());

insert into backmarket.unclaimed_rows (account, feed, given, row_count)
values ('default', 'seller.stock', 'defualt', 3);

insert into backmarket.seller_files (
    account, path, target, size, modified_at, sha256, status, reason, row_count, rejected, run_id
)
values ('default', 'file:///inbox/prices.csv', 'prices', 9, now(), 'x', 'loaded', '', 12, 3, 'run'),
('default', 'file:///inbox/stock.csv', 'stock', 9, now(), 'y', 'held', 'it names 9 of 10 rows no longer', 0, 0, 'run');

insert into backmarket.settlement_files (account, path, size, modified_at, sha256, invoice_ref, line_count)
values ('default', 'file:///inbox/20260914-EU-H-1.csv', 9, now(), 'z', '20260914-EU-H-1', 1);

insert into seller.stock (sku, quantity, counted_at) values ('SKU-50', 7, now());
insert into seller.prices (sku, market, price, currency) values ('SKU-50', 'fr-fr', 60, 'EUR');
insert into seller.shipments (order_id, tracking_number, shipper, shipped_at) values (50, '6X1', 'DHL', now());
"""
