"""The page "Profit": sums, charts, lists and files of a period, and first what is not known."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from backmarket.page import access

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]

PERIOD = "first_day=2026-08-01&last_day=2026-09-30"
NO_COST = "seller.costs has no row for the SKU that can be used."


@pytest.fixture
def sold(warehouse: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection[Any]:
    """Five orders of two months and currencies: a loss, one without a cost whose name is markup, one settled."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_OWN_CURRENCY", "EUR")
    orders = (
        (1, "fr-fr", "EUR", "2026-08-10", "A", "100.00"),
        (2, "fr-fr", "EUR", "2026-09-10", "A", "100.00"),
        (3, "en-gb", "GBP", "2026-09-11", "B", "100.00"),
        (4, "de-de", "EUR", "2026-09-12", "<b>C</b>", "55.00"),
        (5, "fr-fr", "EUR", "2026-09-13", "B", "50.00"),
    )
    for order_id, market, currency, day, sku, price in orders:
        warehouse.execute(
            "insert into backmarket.orders (account, order_id, state, currency, country_code, date_payment, document, "
            "first_seen_at, read_at) values ('default', %s, 9, %s, %s, %s, '{}', now(), now())",
            [order_id, currency, market, day],
        )
        warehouse.execute(
            "insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, currency, "
            "state, orderline_fee, imei, first_seen_at, first_seen_state) "
            "values ('default', %s, %s, %s, 1, %s, %s, 3, 10, %s, now(), 3)",
            [order_id * 10, order_id, sku, price, currency, f"35693803564380{order_id}"],
        )
    warehouse.execute(
        "insert into seller.costs values ('default', 'A', 60, 'EUR', 'margin'), ('default', 'B', 60, 'EUR', 'margin')"
    )
    warehouse.execute("insert into seller.fx_rates values ('2026-09-11', 'EUR', 'GBP', 0.8)")
    warehouse.execute(
        "insert into backmarket.settlement_lines (account, invoice_ref, currency, line_id, line_no, invoice_key, "
        "category, role, value_date, order_id, number, tied_by, designation, amount, first_export) values "
        "('default', 'S', 'EUR', 1, 1, 'sales', 'revenue', 'sale', '2026-09-14', 2, 2, 'order', 'x', 95, now())"
    )
    warehouse.execute(
        "insert into backmarket.settlement_findings (account, kind, subject, order_id, day, expected, actual, "
        "currency, detail, documents, status) values "
        "('default', 'sale_amount_difference', '2', 2, '2026-09-14', 100, 95, 'EUR', '', '[]', 'open')"
    )
    return warehouse


def _plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def _rows(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_what_is_not_known_comes_first(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """Counted, named, with what to do; it is in no sum, and its name is no markup."""
    page = signed_in("viewer").get(f"/backmarket/profit?{PERIOD}").text
    assert page.index("Not known") < page.index("Margin in EUR")
    assert "The profit of 1 order line is not known and in none of the sums below." in page
    assert NO_COST in page
    assert "<b>C</b>" not in page
    assert "/backmarket/skus/%3Cb%3EC%3C/b%3E" in page


def test_sums_are_shown_in_each_currency_and_in_ones_own(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """As PostgreSQL adds them up; what fees may take yet is told beside them."""
    page = _plain(signed_in("viewer").get(f"/backmarket/profit?{PERIOD}").text)
    sums = {
        currency: (revenue, margin)
        for currency, revenue, margin in sold.execute(
            "select currency, sum(revenue), sum(margin) from backmarket.profit where margin is not null group by 1"
        )
    }
    # 100 - 10 - 6.67 - 60, 95 - 5.83 - 60, 50 - 10 - 60 in euros; 100 - 10 - 8.67 - 48 in pounds, which are 41.66.
    assert [str(margin) for _, margin in sorted(sums.values())] == ["33.33", "32.50"]
    assert "Revenue 245.00" in page
    assert "Margin in EUR 32.50" in page
    assert "Margin in GBP 33.33" in page
    assert "Margin in EUR: 74.16 (the currency of backmarket_own_currency)" in page
    assert "1 of 4 order lines are in statements" in page
    assert "at 2 % (backmarket_fees_pct) they take another 3.00, which would leave 29.50." in page


def test_what_cannot_be_converted_is_told_apart(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """Never by a rate of another time: the sale stays in its currency alone."""
    sold.execute("delete from seller.fx_rates")
    sold.execute("update seller.costs set currency = 'GBP', unit_cost = 48 where sku = 'B'")
    page = _plain(signed_in("viewer").get(f"/backmarket/profit?{PERIOD}").text)
    assert "1 order line cannot be converted and is left out: seller.fx_rates has no rate" in page
    assert "seller.fx_rates has no rate from GBP to EUR of the day of sale or the ten days before." in page


def test_months_markets_and_the_worst_skus_have_tables_charts_and_files(
    signed_in: SignIn, sold: psycopg.Connection[Any]
) -> None:
    """Drawn without a script; each file says what its table does."""
    viewer = signed_in("viewer")
    page = viewer.get(f"/backmarket/profit?{PERIOD}").text
    assert re.findall(r'aria-label="([^"]* in [A-Z]{3})"', page) == [
        "Margin by month in EUR", "Worst SKUs in EUR", "Worst SKUs in GBP"
    ]  # fmt: skip
    assert "<script" not in page.replace('<script src="/backmarket/static/page.js">', "")
    months = _rows(viewer.get(f"/backmarket/profit?{PERIOD}&table=months&format=csv"))
    assert [(row["Month"], row["Currency"], row["Margin"], row["Lines without cost"]) for row in months] == [
        ("2026-08", "EUR", "23.33", "0"), ("2026-09", "EUR", "9.17", "1"), ("2026-09", "GBP", "33.33", "0")
    ]  # fmt: skip
    skus = _rows(viewer.get(f"/backmarket/profit?{PERIOD}&table=skus&format=csv"))
    assert [row["SKU"] for row in skus] == ["B", "<b>C</b>", "B", "A"]
    for table in ("months", "markets", "skus", "differences"):
        assert f"table={table}&amp;account=default&amp;format=xlsx" in page
        answer = viewer.get(f"/backmarket/profit?{PERIOD}&table={table}&format=xlsx")
        assert "xl/workbook.xml" in ZipFile(io.BytesIO(answer.content)).namelist()


def test_a_difference_leads_to_its_order_and_findings(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """Expected against paid, with what the reconciliation says."""
    viewer = signed_in("viewer")
    page = viewer.get(f"/backmarket/profit?{PERIOD}").text
    assert '<a href="/backmarket/orders/2">2</a>' in page
    (row,) = _rows(viewer.get(f"/backmarket/profit?{PERIOD}&table=differences&format=csv"))
    assert row == {
        "Order": "2", "Currency": "EUR", "Expected": "90.00", "Paid": "95", "Difference": "5.00",
        "Open findings": "sale amount difference",
    }  # fmt: skip


def test_sales_are_chosen_by_market_and_sku(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """Both at once, in files too; what fits nothing is said."""
    viewer = signed_in("viewer")
    rows = _rows(viewer.get(f"/backmarket/profit?{PERIOD}&market=fr-fr&sku=b&table=skus&format=csv"))
    assert [(row["SKU"], row["Margin"]) for row in rows] == [("B", "-20.00")]
    page = viewer.get(f"/backmarket/profit?{PERIOD}&market=fr-fr&sku=b").text
    assert '<option value="fr-fr" selected>' in page
    assert (
        "/backmarket/profit/orders?first_day=2026-08-01&amp;last_day=2026-09-30&amp;account=default&amp;market=fr-fr&amp;text=b"
        in page
    )
    assert (
        "Nothing was sold in this period that fits the filter"
        in viewer.get(f"/backmarket/profit?{PERIOD}&sku=zzz").text
    )


def test_every_order_and_device_is_listed(signed_in: SignIn, sold: psycopg.Connection[Any]) -> None:
    """The worst first; filtered as every list, and as a file."""
    viewer = signed_in("viewer")
    for path, device in (("orders", False), ("devices", True)):
        page = viewer.get(f"/backmarket/profit/{path}?{PERIOD}").text
        assert re.findall(r'<th scope="row">\s*<a [^>]*>([^<]*)</a>', page) == ["5", "1", "2", "3", "4"]
        assert NO_COST in page
        rows = _rows(viewer.get(f"/backmarket/profit/{path}?{PERIOD}&market=fr-fr&kind=expected&format=csv"))
        assert [(row["Order"], row["Margin"]) for row in rows] == [("5", "-20.00"), ("1", "23.33")]
        assert ("IMEI or serial number" in rows[0]) is device
    assert (
        _rows(viewer.get(f"/backmarket/profit/devices?{PERIOD}&text=356938035643803&format=csv"))[0]["Cost"] == "48.00"
    )


def test_without_a_period_it_is_this_month_and_the_one_before(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """Nothing sold is no error; a period that is none is refused."""
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/profit")
    assert page.status_code == 200
    assert "Nothing was sold in this period." in page.text
    assert '<a href="/backmarket/profit" aria-current="page">Profit</a>' in page.text
    assert viewer.get("/backmarket/profit?first_day=2026-09-30&last_day=2026-09-01").status_code == 400
    assert viewer.get("/backmarket/profit?first_day=1999-01-01&last_day=2026-09-01").status_code == 400


def test_a_database_that_no_dag_has_prepared_has_no_profit(signed_in: SignIn, warehouse_uri: str) -> None:
    """It is empty, not broken."""
    assert "Nothing was sold in this period." in signed_in("viewer").get("/backmarket/profit").text


def test_a_variable_that_cannot_be_used_is_told(
    signed_in: SignIn, sold: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is shown all the same."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_OWN_CURRENCY", "euros")
    page = signed_in("viewer").get(f"/backmarket/profit?{PERIOD}")
    assert page.status_code == 200
    assert "backmarket_own_currency" in page.text


def test_the_currency_of_the_home_market_is_ones_own(
    signed_in: SignIn, sold: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no Variable says another; without a connection nothing is converted."""
    monkeypatch.delenv("AIRFLOW_VAR_BACKMARKET_OWN_CURRENCY")
    viewer = signed_in("viewer")
    assert "Nothing is converted: set backmarket_own_currency" in viewer.get(f"/backmarket/profit?{PERIOD}").text
    monkeypatch.setenv(
        "AIRFLOW_CONN_BACKMARKET_DEFAULT",
        '{"conn_type": "backmarket", "host": "https://www.backmarket.co.uk", "password": "t", '
        '"extra": {"market": "en-gb", "user_agent": "BM-Acme-Orders;ops@acme.fr"}}',
    )
    assert "(the currency of your home market)" in viewer.get(f"/backmarket/profit?{PERIOD}").text
    assert "Margin in GBP:" in _plain(viewer.get(f"/backmarket/profit?{PERIOD}").text)


@pytest.mark.parametrize("path", ["profit", "profit/orders", "profit/devices"])
def test_who_may_not_see_settlements_sees_no_profit(
    signed_in: SignIn, sold: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Neither the page nor its lists and files, nor the link to it."""
    monkeypatch.setattr(access, "readable_stems", lambda _, __: frozenset({"orders"}))
    viewer = signed_in("viewer")
    assert viewer.get(f"/backmarket/{path}?{PERIOD}&format=csv").status_code == 403
    assert ">Profit</a>" not in viewer.get("/backmarket/orders").text
