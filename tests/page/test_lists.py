"""Every list is sorted, filtered, read in pages and taken as a CSV file, by its address alone."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.page.lists import list_of_need, wanted_of
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.needs import NAMES, need_of
from tests.page.given import add_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


def _refuse(warehouse: psycopg.Connection[Any], count: int) -> None:
    """Refuse prices of SKUs that are numbered from 0, in two markets in turn, a day older each and a euro dearer."""
    prices = Ledger(warehouse, "default", "price")
    prices.plan(
        [
            PlannedChange(
                f"SKU-{n:04}",
                {"price": str(100 + n), "currency": "EUR"},
                ("fr-fr", "de-de")[n % 2],
                "refused",
                "too dear" if n % 3 else "=no price",
            )
            for n in range(count)
        ],
        run_id="r",
    )
    warehouse.execute(
        "update backmarket.changes set planned_at = now() - (right(subject, 4)::int % 13) * interval '1 day'"
    )


def _subjects(page: str) -> list[str]:
    return re.findall(r'<th scope="row">\s*<a [^>]*>([^<]*)</a>', page)


def _csv(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_list_is_filtered_by_what_its_rows_are(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """By market, amount, age and a part of the text, all at once; what was asked stands in the form again."""
    _refuse(warehouse, 40)
    viewer = signed_in("viewer")
    page = viewer.get(
        "/backmarket/needs/refused?market=fr-fr&amount=120,5&days=3&text=TOO DEAR&sort=subject",
    ).text
    wanted = [n for n in range(40) if n % 2 == 0 and n % 3 and n > 20 and n % 13 >= 3]
    assert _subjects(page) == [f"SKU-{n:04}" for n in wanted]
    assert f"1 to {len(wanted)} of {len(wanted)} that fit the filter" in page
    assert '<option value="fr-fr" selected>' in page
    assert 'value="120,5"' in page
    assert '<a href="/backmarket/needs/refused?sort=subject">Clear</a>' in page


def test_every_column_sorts_both_ways(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A heading leads to its order, and from there to the other way round; the filter stays."""
    _refuse(warehouse, 12)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?market=fr-fr").text
    assert 'aria-sort="descending"><a href="/backmarket/needs/refused?market=fr-fr&amp;sort=since">Since</a>' in page
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=amount").text
    assert _subjects(page) == [f"SKU-{n:04}" for n in range(0, 12, 2)]
    assert '<a href="/backmarket/needs/refused?market=fr-fr&amp;sort=-amount">Amount</a>' in page
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=-amount").text
    assert _subjects(page) == [f"SKU-{n:04}" for n in range(10, -1, -2)]
    for column in ("subject", "kind", "market", "why", "since"):
        assert len(_subjects(viewer.get(f"/backmarket/needs/refused?sort=-{column}").text)) == 12


def test_a_list_is_read_in_pages(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """A hundred rows each, every row on one page; links keep filter and order; beyond the last is the first."""
    _refuse(warehouse, 650)
    viewer = signed_in("viewer")
    address, seen = "/backmarket/needs/refused?days=0&sort=subject", []
    for _ in range(7):
        page = viewer.get(address).text
        seen += _subjects(page)
        found = re.search(r'<a rel="next" href="([^"]*)"', page)
        address = found.group(1).replace("&amp;", "&") if found else ""
    assert not address
    assert seen == [f"SKU-{n:04}" for n in range(650)]
    assert "601 to 650 of 650" in page
    assert '<a rel="prev" href="/backmarket/needs/refused?days=0&amp;sort=subject&amp;page=6">' in page
    beyond = viewer.get("/backmarket/needs/refused?sort=subject&page=99").text
    assert _subjects(beyond)[0] == "SKU-0000"


def test_a_list_is_a_csv_file_of_all_that_fits(signed_in: SignIn, warehouse: psycopg.Connection[Any]) -> None:
    """Every page in one, with the same filter and order; no cell is a formula to a spreadsheet."""
    _refuse(warehouse, 650)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?market=fr-fr&sort=-amount").text
    link = re.search(r'<a href="([^"]*)">CSV</a>', page)
    assert link
    answer = viewer.get(link.group(1).replace("&amp;", "&"))
    rows = _csv(answer)
    assert [row["What"] for row in rows] == [f"SKU-{n:04}" for n in range(648, -1, -2)]
    assert list(rows[0]) == ["What", "Kind", "Market", "Why", "Amount", "Since", "Currency"]
    assert rows[0]["Amount"] == "748"
    assert {row["Why"] for row in rows} == {"too dear", "'=no price"}
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="backmarket-default-refused-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"]
    )


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_csv_file_is_a_formula(signed_in: SignIn, warehouse: psycopg.Connection[Any], begin: str) -> None:
    """Whatever a seller's own system calls its SKUs."""
    warehouse.execute(
        "insert into backmarket.inventory_findings (account, kind, sku, detail) values ('default', 'stock_stale', %s, '')",
        [f"{begin}1+1"],
    )
    answer = signed_in("viewer").get("/backmarket/needs/stock?format=csv")
    assert answer.content.decode("utf-8-sig").splitlines()[1].lstrip('"').startswith("'")


@pytest.mark.parametrize("name", NAMES)
def test_every_list_answers_each_filter_and_order(
    signed_in: SignIn, warehouse: psycopg.Connection[Any], name: str
) -> None:
    """Whatever kind waits, also where none does; a person who may see nothing of it is refused."""
    add_orders(warehouse, 50)
    viewer = signed_in("viewer")
    need = need_of(name)
    assert need
    for column in list_of_need(need, ()).columns:
        for sort in (column.name, f"-{column.name}"):
            query = f"sort={sort}&market=fr-fr&kind=order&amount=1&days=1&text=x&page=2"
            assert viewer.get(f"/backmarket/needs/{name}?{query}").status_code == 200
            assert _csv(viewer.get(f"/backmarket/needs/{name}?{query}&format=csv")) == []


def test_a_filter_that_cannot_be_used_is_answered_beside_its_field(
    signed_in: SignIn, warehouse: psycopg.Connection[Any]
) -> None:
    """The list is shown without it; a CSV file, which nobody would notice it in, is not made."""
    _refuse(warehouse, 3)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/needs/refused?amount=a lot")
    assert page.status_code == 400
    assert 'value="a lot"' in page.text
    assert "A number such as 120 or 99.50 is needed." in page.text
    assert len(_subjects(page.text)) == 3
    assert viewer.get("/backmarket/needs/refused?amount=a lot&format=csv").status_code == 400


@pytest.mark.parametrize(
    "query", ["sort=document", "sort=since;drop table x", 'sort="since"', "sort=-", "page=0", "page=-1", "page=9e9"]
)
def test_an_address_cannot_ask_for_what_a_list_has_not(query: str) -> None:
    """An order comes from the list's own columns, and is its own where there is no such."""
    need = need_of("refused")
    assert need
    name, _, value = query.partition("=")
    wanted = wanted_of(list_of_need(need, ()), {name: value})
    assert wanted.order == need.order
    assert wanted.page == 1


def test_a_csv_file_of_a_database_that_is_down_is_a_page(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so before anything was sent, as every page does."""
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_WAREHOUSE", "postgres://user:s3cr3t@127.0.0.1:1/nothing")
    answer = signed_in("viewer").get("/backmarket/needs/refused?format=csv")
    assert answer.status_code == 503
    assert "backmarket_warehouse does not answer" in answer.text
