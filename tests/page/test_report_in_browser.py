"""A settlement report in a real browser: on the page and as a file, on a phone. Skipped where no Chromium is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from backmarket.rules.settlements.kinds import KINDS
from tests.page.given import sum_settlement_lines
from tests.page.test_browser import CHROMIUM, FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psycopg
    from playwright.sync_api import Page, Route, ViewportSize
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")

PHONE: ViewportSize = {"width": 390, "height": 844}
REPORT = "/backmarket/reports/period?first_day=2026-06-01&last_day=2026-08-29"
# Of what is drawn and seen, the least height of a line of text, in pixels of the screen.
SMALLEST_TEXT = """
() => Math.min(...[...document.querySelectorAll("main text, main td, main th, main p")]
    .filter(node => node.textContent.trim() && node.getClientRects().length && node.checkVisibility())
    .map(node => node.tagName === "text"
        ? parseFloat(getComputedStyle(node).fontSize) * node.getScreenCTM().a
        : parseFloat(getComputedStyle(node).fontSize)))
"""
OVERLAPPING_LABELS = """
() => [...document.querySelectorAll("main .axis.x")].filter(axis => axis.getClientRects().length).flatMap(axis => {
    const boxes = [...axis.querySelectorAll("text")].map(text => text.getBoundingClientRect());
    const edge = axis.closest("figure").getBoundingClientRect();
    return boxes.filter((box, i) =>
        (i && box.left < boxes[i - 1].right) || box.right > edge.right || box.left < edge.left);
}).length
"""


@pytest.fixture
def settled(warehouse: psycopg.Connection[Any]) -> None:
    """Ninety days in two currencies, and an open finding of each kind."""
    warehouse.execute(
        """
        insert into backmarket.settlement_lines (
            account, invoice_ref, currency, line_id, line_no, invoice_key, category, role, value_date, designation,
            amount, first_export
        )
        select
            'default', concat_ws('-', '20260914-EU-H', kind.place, currency), currency, n, n, kind.invoice_key,
            kind.category, '', '2026-06-01'::date + n, 'an iPhone', kind.amount + n, now()
        from
            generate_series(0, 89) as n,
            unnest(array['EUR', 'GBP']) as currency,
            (
                values ('sales', 'revenue', 12189.90, 1), ('avoir_sales_fees', 'commission', 19.90, 2),
                ('deals_commission_discount', 'commission', -12300.90, 3)
            ) as kind (invoice_key, category, amount, place)
        """
    )
    sum_settlement_lines(warehouse)
    for number, kind in enumerate(KINDS):
        warehouse.execute(
            "insert into backmarket.settlement_findings (account, kind, subject, order_id, day, expected, actual, "
            "currency, detail, documents, status) values "
            "('default', %s, %s, %s, '2026-06-08', -10, -1012.34, 'EUR', '', '[]', 'open')",
            [kind, str(number), 74800000 + number],
        )


@pytest.fixture
def browser_page(tmp_path: Path) -> Iterator[Page]:
    """A phone's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, headless=True, args=FLAGS, viewport=PHONE, color_scheme="light"
        )
        yield browser.pages[0]
        browser.close()


def _serve(page: Page, client: TestClient, *paths: str) -> None:
    """Let the browser find these at the address of an Airflow that is not running."""
    answers = {path: client.get(path) for path in paths}

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        found = answers.get(f"{address.path}?{address.query}" if address.query else address.path)
        if found is None:
            route.abort()
        else:
            route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

    page.route("**/*", answer)


def test_a_report_is_readable_on_a_phone(signed_in: SignIn, settled: None, browser_page: Page, tmp_path: Path) -> None:
    """On the page, and alone as a saved file: nothing too wide, no text too small, no labels in each other."""
    client = signed_in("viewer")
    _serve(browser_page, client, REPORT, "/backmarket/static/page.css", "/backmarket/static/page.js")
    saved = tmp_path / "report.html"
    saved.write_text(client.get(f"{REPORT}&download=true").text)
    for address in (f"http://airflow.test{REPORT}", saved.as_uri()):
        if address.startswith("file:"):
            browser_page.unroute_all()
        browser_page.goto(address)
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        assert browser_page.evaluate(SMALLEST_TEXT) >= 10
        assert browser_page.evaluate(OVERLAPPING_LABELS) == 0
        browser_page.get_by_role("heading", name="Settlement report").wait_for()
        order = browser_page.get_by_role("link", name=re.compile("^74800")).first
        assert re.search(r"/backmarket/orders/74800\d\d\d$", order.get_attribute("href") or "")
        assert browser_page.evaluate("getComputedStyle(document.querySelector('.net .color-0 rect')).fill") == (
            "rgb(20, 113, 61)"
        )
    browser_page.set_viewport_size({"width": 1240, "height": 860})
    assert browser_page.evaluate(OVERLAPPING_LABELS) == 0


def test_the_page_s_navigation_stands_above_a_report(signed_in: SignIn, settled: None, browser_page: Page) -> None:
    """And what is shown loads nothing that the page's policy forbids."""
    _serve(browser_page, signed_in("viewer"), REPORT, "/backmarket/static/page.css", "/backmarket/static/page.js")
    refused: list[str] = []
    browser_page.on("console", lambda message: refused.append(message.text))
    browser_page.goto(f"http://airflow.test{REPORT}")
    navigation = browser_page.get_by_role("navigation", name="Back Market")
    assert navigation.get_by_role("link", name="Overview").is_visible()
    assert browser_page.get_by_role("link", name="All settlement reports").is_visible()
    assert [text for text in refused if "Content Security Policy" in text] == []


def test_a_long_path_breaks_between_its_words(signed_in: SignIn, warehouse: Any, browser_page: Page) -> None:
    """The file of a statement, in a column of a phone: a line ends with a slash or an underscore."""
    path = "file:///opt/airflow/inbox/settlements_of_september_2026/a_long_name_of_an_export_from_somewhere.xlsx"
    warehouse.execute(
        "insert into backmarket.quarantine (account, entity, key, document, reason) "
        "values ('default', 'settlement_file', %s, '{}', 'it is an Excel workbook')",
        [path],
    )
    shown = "/backmarket/needs/quarantine"
    _serve(browser_page, signed_in("viewer"), shown, "/backmarket/static/page.css", "/backmarket/static/page.js")
    browser_page.goto(f"http://airflow.test{shown}")
    lines = browser_page.evaluate(
        """() => {
            const cell = [...document.querySelectorAll("main th")].find(th => th.textContent.includes("file:"));
            const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), lines = [];
            let top = null;
            while (walker.nextNode()) for (let i = 0; i < walker.currentNode.length; i++) {
                const range = document.createRange();
                range.setStart(walker.currentNode, i); range.setEnd(walker.currentNode, i + 1);
                const box = range.getClientRects()[0];
                if (!box) continue;
                if (top === null || box.top > top + 4) { lines.push(""); top = box.top; }
                lines[lines.length - 1] += range.toString();
            }
            return lines.map(line => line.trim());
        }"""
    )
    assert "".join(lines) == path
    assert len(lines) > 1
    assert all(line.endswith(("/", "_")) for line in lines[:-1]), lines
