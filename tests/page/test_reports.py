"""Settlement reports on the page: each run's own, any period on demand, for those who may see settlements."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from backmarket.operators.settlements import BackMarketSettlementReportOperator
from backmarket.page import access
from backmarket.page.settlement_reports import gather
from tests.page.given import sum_settlement_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

RUN_ID = "scheduled__2026-09-14T06:00:00+00:00"
STORED = "<!doctype html><html><body><main><p>as stored</p></main></body></html>"
PERIOD = "/backmarket/reports/period?first_day=2026-09-01&last_day=2026-09-30"


@pytest.fixture
def settled(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """One row, one finding with a name that is markup, one stored report."""
    warehouse.execute(
        "insert into backmarket.settlement_lines (account, invoice_ref, currency, line_id, line_no, invoice_key, "
        "category, role, value_date, designation, amount, first_export) values "
        "('default', '20260914-EU-H-1', 'EUR', 1, 1, '<b>fee</b>', 'service', '', '2026-09-08', 'fee', -4.50, now())"
    )
    sum_settlement_lines(warehouse)
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, order_id, day, expected, actual, "
        "currency, detail, documents, status) values "
        "('default', 'fee_difference', '7', 7, '2026-09-08', -10, -12.34, 'EUR', '', '[]', 'open')"
    )
    warehouse.execute(
        "insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html) "
        "values ('default', %s, '2026-09-01', '2026-09-14', %s)",
        [RUN_ID, STORED],
    )
    return warehouse


def _self_contained(html: str) -> bool:
    return not re.search(r"<script|<link|src=|@import|url\((?!#)", html)


def test_a_period_is_drawn_on_demand(signed_in: SignIn, settled: psycopg.Connection[Any]) -> None:
    """Within the page, with its navigation, chart, fees and findings; orders lead to their stories."""
    answer = signed_in("viewer").get(PERIOD)
    assert answer.status_code == 200
    assert '<nav aria-label="Back Market">' in answer.text
    assert "Net per day in EUR" in answer.text
    assert "2.34 EUR at stake" in answer.text
    assert "the commission is not the order&#39;s own" in answer.text
    assert re.search(r'<a href="[^"]*/backmarket/orders/7">7</a>', answer.text)
    assert "<b>fee</b>" not in answer.text
    assert "<style" not in answer.text
    assert answer.text.count("<main") == 1
    assert "style-src 'self'" in answer.headers["content-security-policy"]


def test_a_report_is_saved_as_one_file(signed_in: SignIn, settled: psycopg.Connection[Any]) -> None:
    """It loads nothing, brings its style, and is named after its account and days."""
    client = signed_in("viewer")
    (address,) = re.findall(r'<a href="([^"]*)" download>', client.get(PERIOD).text)
    answer = client.get(f"/backmarket/reports/period{unescape(address)}")
    assert answer.headers["content-disposition"] == (
        'attachment; filename="settlement_report_default_2026-09-01_2026-09-30.html"'
    )
    assert _self_contained(answer.text)
    assert "<b>fee</b>" not in answer.text
    assert "'unsafe-inline'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    stored = client.get(f"/backmarket/reports/runs/{quote(RUN_ID, safe='')}?download=true")
    assert stored.text == STORED


def test_a_report_of_an_earlier_release_is_shown_within_the_page(
    signed_in: SignIn, settled: psycopg.Connection[Any]
) -> None:
    """What its body held, without its style."""
    settled.execute(
        "update backmarket.settlement_reports set html = "
        "'<!doctype html><html><head><style>h1 {}</style></head><body><h1>of old</h1></body></html>'"
    )
    page = signed_in("viewer").get(f"/backmarket/reports/runs/{quote(RUN_ID, safe='')}").text
    assert "<h1>of old</h1>" in page
    assert "<style" not in page
    assert page.count("<body") == 1


def test_the_reports_of_a_backfill_are_one_entry(signed_in: SignIn, settled: psycopg.Connection[Any]) -> None:
    """By their days, whichever was made first; with one report of all of them; other runs stand beside it."""
    for day in (3, 1, 2):
        settled.execute(
            "insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html) "
            "values ('default', %s, %s, %s, '')",
            [f"backfill__2026-01-0{day}T00:00:00+00:00", f"2026-01-0{day}", f"2026-01-0{day}"],
        )
    listed = signed_in("viewer").get("/backmarket/reports").text
    assert "Backfill, 3 reports" in listed
    assert listed.count("<tr>") == 3, "a header, the backfill, a run"
    assert listed.index("2026-01-01</a>") < listed.index("2026-01-02</a>") < listed.index("2026-01-03</a>")
    assert "first_day=2026-01-01&amp;last_day=2026-01-03" in listed


def test_two_backfills_are_two_entries() -> None:
    """Airflow knows which run belongs to which; those it has forgotten stand together."""
    days = [date(2026, 1, day) for day in range(1, 6)]
    reports = [
        {
            "run_id": f"backfill__{day}",
            "first_day": day,
            "last_day": day,
            "created_at": datetime(2026, 2, 1, tzinfo=UTC),
        }
        for day in days
    ]
    backfills = {f"backfill__{day}": 1 if day < days[2] else 2 for day in days[:4]}
    entries = gather(reports, backfills)
    assert sorted((entry.first_day, entry.last_day, len(entry.reports)) for entry in entries) == [
        (days[0], days[1], 2),
        (days[2], days[3], 2),
        (days[4], days[4], 1),
    ]
    assert all(entry.is_backfill for entry in entries)


def test_a_period_without_rows_says_so(signed_in: SignIn, settled: psycopg.Connection[Any]) -> None:
    """No chart of nothing."""
    answer = signed_in("viewer").get("/backmarket/reports/period?first_day=2025-01-01&last_day=2025-01-02")
    assert answer.status_code == 200
    assert "No statement row" in answer.text
    assert "<svg" not in answer.text


def test_a_task_links_to_the_report_of_its_run(signed_in: SignIn, settled: psycopg.Connection[Any]) -> None:
    """The address that the operator gives is the one that the page answers; the list leads there too."""
    from airflow.sdk.types import TaskInstanceKey

    operator = BackMarketSettlementReportOperator(task_id="settlement_report")
    (link,) = operator.operator_extra_links
    address = link.get_link(operator, ti_key=TaskInstanceKey("backmarket_settlements", "settlement_report", RUN_ID, 1))
    path = address[address.index("/backmarket/") :]
    client = signed_in("viewer")
    assert "<p>as stored</p>" in client.get(path).text
    listed = client.get("/backmarket/reports").text
    assert f"/backmarket/reports/runs/{quote(RUN_ID, safe='')}" in listed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/backmarket/reports/runs/unknown", 404),
        ("/backmarket/reports/period?first_day=2026-09-30&last_day=2026-09-01", 400),
        ("/backmarket/reports/period?first_day=0001-01-01&last_day=9999-12-31", 400),
        ("/backmarket/reports/period?first_day=tomorrow&last_day=2026-09-01", 404),
    ],
)
def test_what_is_not_there_is_told_in_words(
    signed_in: SignIn, settled: psycopg.Connection[Any], path: str, status: int
) -> None:
    """A page for a person, never a trace."""
    answer = signed_in("viewer").get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_reports_are_for_who_may_see_settlements(
    signed_in: SignIn, settled: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may see orders alone is refused; who is not signed in as well."""
    client = signed_in("viewer")
    monkeypatch.setattr(access, "readable_stems", lambda *_: frozenset({"orders"}))
    for path in ("/backmarket/reports", PERIOD, f"/backmarket/reports/runs/{quote(RUN_ID)}"):
        assert client.get(path).status_code == 403
    client.cookies.clear()
    assert client.get("/backmarket/reports").status_code == 401


def test_before_the_first_load_the_list_is_empty(signed_in: SignIn, warehouse_uri: str) -> None:
    """A database without tables is no error, and a period has nothing to draw."""
    client = signed_in("viewer")
    assert "None yet" in client.get("/backmarket/reports").text
    assert client.get(PERIOD).status_code == 404
