"""The BackBox on the page: what is won, what could be, what cannot, and why; and a SKU's prices beside the winner's."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from openpyxl import load_workbook

from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.page.given import add_backbox

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    import pytest
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

GROUPS = ("within-floor", "below-floor", "undecided")
ODD_SKU = '<img src=x onerror="alert(1)">/ä&b?'
NO_COST = "no cost is known: fill seller.costs"


def plain(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def rows_of(answer: Any) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def stories(page: str) -> list[str]:
    """Return the SKUs that a page links to, in its order."""
    return re.findall(r'href="/backmarket/skus/([^"?]*)', page)


def give_the_usual(database: Database) -> None:
    """Two that win, three that would, two that cannot, two without a decision, one whose price to win nobody says."""
    add_backbox(database, "WINS", "fr-fr", price=200, to_win=200, winner=200, floor=150, is_winning=True)
    add_backbox(database, "WINS", "de-de", price=210, to_win=210, winner=210, floor=150, is_winning=True)
    for sku, left in (("SMALL", 20), ("LARGE", 90), ("MIDDLE", 50)):
        add_backbox(database, sku, "fr-fr", price=300, to_win=280, winner=281, floor=280, margin=left)
    add_backbox(database, "NEAR", "fr-fr", price=300, to_win="279.99", winner=280, floor=280, reason="it is near")
    add_backbox(database, "FAR", "en-gb", price=300, to_win=200, winner=200, floor=280, currency="GBP")
    add_backbox(database, "NO-COST", "fr-fr", price=300, to_win=280, winner=281, reason=NO_COST)
    add_backbox(database, "NO-PRICE", "de-de", price=400, to_win=280, winner=281, is_decided=False)
    add_backbox(database, "SILENT", "fr-fr", price=300, to_win=None, winner=None, floor=200)


def test_the_page_says_what_is_won_and_what_could_be(signed_in: SignIn, warehouse: Database) -> None:
    """Shares of all and of each market, and each listing where it belongs, what is lost most first."""
    give_the_usual(warehouse)
    page = signed_in("viewer").get("/backmarket/backbox").text
    words = plain(page)
    assert "Won 20 % 2 of 10 that compete" in words
    assert "fr-fr 7 1 14 3 de-de 2 1 50 0 en-gb 1 0 0 0" in words
    assert '<a href="/backmarket/backbox" aria-current="page">BackBox</a>' in page
    groups = re.findall(r'<section aria-labelledby="backbox-([a-z-]+)">(.*?)</section>', page, flags=re.DOTALL)
    assert {name: stories(content) for name, content in groups} == {
        "within-floor": ["LARGE", "MIDDLE", "SMALL"],
        "below-floor": ["FAR", "NEAR"],
        "undecided": ["NO-PRICE", "NO-COST"],
    }
    assert "NEAR fr-fr 300 EUR 279.99 EUR 280 EUR 280 EUR 0.01 EUR 0.0 it is near" in words
    assert "FAR en-gb 300 GBP 200 GBP 200 GBP 280 GBP 80 GBP 28.6" in words
    assert "LARGE fr-fr 300 EUR 280 EUR 281 EUR 280 EUR 90 EUR 30.0 move" in words
    assert f"NO-COST fr-fr 300 EUR 280 EUR 281 EUR {NO_COST}" in words
    assert "NO-PRICE de-de 400 EUR 280 EUR 281 EUR repricing is off, or seller.prices has no price for it" in words


def test_what_takes_part_no_more_is_counted_nowhere(signed_in: SignIn, warehouse: Database) -> None:
    """Neither a listing whose BackBox is gone, nor one that is gone itself; who stands alone competes with nobody."""
    give_the_usual(warehouse)
    warehouse.execute("update backmarket.backbox set gone_at = now() where market = 'en-gb'")
    warehouse.execute("update backmarket.listings set gone_at = now() where sku in ('WINS', 'LARGE', 'NO-COST')")
    viewer = signed_in("viewer")
    words = plain(viewer.get("/backmarket/backbox").text)
    assert "Won 0 % 0 of 5 that compete" in words
    assert "FAR" not in words
    assert "LARGE" not in words
    assert NO_COST not in words
    listed = {row["SKU"]: row["Standing"] for row in rows_of(viewer.get("/backmarket/backbox/all?format=csv"))}
    assert listed["FAR"] == "stands alone"
    assert listed["SILENT"] == "loses, price to win unknown"
    assert "WINS" not in listed


def test_the_share_of_each_day_is_that_of_its_end(signed_in: SignIn, warehouse: Database) -> None:
    """Every day of thirty, also those without a change; who joins, leaves or was there before counts from then on."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ten, five = today - timedelta(days=10), today - timedelta(days=5)
    a, b, c = (
        add_backbox(warehouse, sku, "fr-fr", price=9, to_win=8, winner=8, is_winning=sku == "B")
        for sku in ("A", "B", "C")
    )
    for listing, at, is_winning, takes_part in (
        (a, today - timedelta(days=100), True, True),
        (a, ten + timedelta(hours=1), False, True),
        (a, ten + timedelta(hours=23), True, True),
        (a, five + timedelta(hours=12), False, True),
        (b, ten + timedelta(hours=5), False, True),
        (b, five - timedelta(seconds=1), True, True),
        (c, ten, True, True),
        (c, five, False, False),
    ):
        _add_history(warehouse, listing, "fr-fr", at, is_winning=is_winning, takes_part=takes_part)
    viewer = signed_in("viewer")
    found = rows_of(viewer.get("/backmarket/backbox?table=days&format=csv"))
    by_day = {row["Day"]: (row["Listings that compete"], row["Won"], row["Won in %"]) for row in found}
    assert len(by_day) == 30
    counted = [by_day[f"{today - timedelta(days=back):%Y-%m-%d}"] for back in (29, 11, 10, 9, 7, 6, 5, 0)]
    before, both, all_three = ("1", "1", "100"), ("3", "2", "67"), ("3", "3", "100")
    assert counted == [before, before, both, both, both, all_three, ("2", "1", "50"), ("2", "1", "50")]
    svg = re.findall(r"<svg.*?</svg>", viewer.get("/backmarket/backbox").text, flags=re.DOTALL)[0]
    told = re.findall(r"<title>([^<]* · [^<]*)</title>", svg)
    assert len(told) == 30
    assert told[-1] == f"{today:%-d %b} · fr-fr: 50 %"
    warehouse.execute("update backmarket.listings set gone_at = now() where sku = 'B'")
    gone = rows_of(viewer.get("/backmarket/backbox?table=days&format=csv"))[-1]
    assert (gone["Listings that compete"], gone["Won"]) == ("1", "0")


def test_tables_are_files(signed_in: SignIn, warehouse: Database) -> None:
    """Each group with all its rows, as CSV and as XLSX, numbers as numbers, and the shares."""
    give_the_usual(warehouse)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/backbox").text
    links = [link.replace("&amp;", "&") for link in re.findall(r'<a href="([^"]*format=(?:csv|xlsx)[^"]*)"', page)]
    assert len(links) == 2 * (len(GROUPS) + 2)
    for link in links:
        answer = viewer.get(link if link.startswith("/") else f"/backmarket/backbox{link}")
        assert answer.status_code == 200
        assert re.search(r'filename="backmarket-default-backbox-[a-z-]+-\d{4}', answer.headers["content-disposition"])
    rows = rows_of(viewer.get("/backmarket/backbox/below-floor?format=csv"))
    assert [(row["SKU"], row["Short by"], row["Currency"]) for row in rows] == [
        ("FAR", "80", "GBP"),
        ("NEAR", "0.01", "EUR"),
    ]
    france = rows_of(viewer.get("/backmarket/backbox?table=markets&format=csv"))[0]
    assert list(france.values()) == ["fr-fr", "7", "1", "14", "3"]
    sheet = load_workbook(io.BytesIO(viewer.get("/backmarket/backbox/within-floor?format=xlsx").content)).worksheets[0]
    titles, first = list(sheet.iter_rows(values_only=True))[:2]
    told = dict(zip(titles, first, strict=True))
    assert (told["SKU"], told["Left of a sale"], told["Currency"]) == ("LARGE", 90, "EUR")


def test_a_long_group_shows_its_first_and_leads_to_all(signed_in: SignIn, warehouse: Database) -> None:
    """Ten on the page; the list has the others, by any column, and knows its filter."""
    for number in range(12):
        add_backbox(warehouse, f"S{number:02}", "fr-fr", price=300, to_win=280, winner=281, floor=280, margin=number)
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/backbox").text
    assert stories(page) == [f"S{number:02}" for number in range(11, 1, -1)]
    assert '<a href="/backmarket/backbox/within-floor">Show all 12<' in page
    whole = viewer.get("/backmarket/backbox/within-floor?sort=margin").text
    assert stories(whole) == [f"S{number:02}" for number in range(12)]
    assert stories(viewer.get("/backmarket/backbox/within-floor?text=s07&market=fr-fr").text) == ["S07"]
    assert viewer.get("/backmarket/backbox/nonsense").status_code == 404


def test_an_odd_sku_is_a_text(signed_in: SignIn, warehouse: Database) -> None:
    """On the page, in its list, in a file, and in its own story with its chart."""
    listing = add_backbox(
        warehouse, ODD_SKU, "fr-fr", price=300, to_win=280, winner=281, floor=280, reason="<b>=1+1</b>"
    )
    _add_history(warehouse, listing, "fr-fr", datetime.now(UTC) - timedelta(days=2), price=299)
    viewer = signed_in("viewer")
    for path in ("backbox", "backbox/within-floor", "backbox/all"):
        page = viewer.get(f"/backmarket/{path}").text
        assert "<img" not in page
        assert "<b>=1" not in page
        assert "&lt;img src=x" in page
        (link,) = set(stories(page))
        story = viewer.get(f"/backmarket/skus/{link}")
        assert story.status_code == 200
        assert "<img" not in story.text
        assert "Price in fr-fr, EUR" in story.text
    warehouse.execute("update backmarket.listings set sku = '=1+1'")
    (row,) = rows_of(viewer.get("/backmarket/backbox/within-floor?format=csv"))
    assert row["SKU"] == "'=1+1"


def test_before_anything_was_read_the_page_says_so(signed_in: SignIn, warehouse: Database) -> None:
    """Nothing is known, nothing is on, and no number is made up."""
    viewer = signed_in("viewer")
    words = plain(viewer.get("/backmarket/backbox").text)
    assert "No competitors are known yet. backmarket_backbox reads them" in words
    assert "Won — Moves in 24 hours 0 To approve 0 Competitors read never Listings asked in the last hour 0" in words
    assert "Main switch off Competitors in off Repricing off Dry run off" in words
    assert words.count("None.") == len(GROUPS)
    assert rows_of(viewer.get("/backmarket/backbox?table=days&format=csv")) == []
    assert "BackBox —" not in plain(viewer.get("/backmarket/").text)


def test_the_page_is_there_before_the_first_run(signed_in: SignIn, warehouse_uri: str) -> None:
    """The database has no table yet."""
    viewer = signed_in("viewer")
    for path in ("backbox", "backbox/all", "backbox/undecided?format=csv"):
        assert viewer.get(f"/backmarket/{path}").status_code == 200


def test_the_page_says_when_it_was_read_and_what_is_on(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the hour; what gave no answer that can be read is told; so is a Variable that cannot be understood."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_BACKBOX_DOWNLOAD", "on")
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_REPRICING", "perhaps")
    warehouse.execute(
        "insert into backmarket.backbox_askings (account, id, asked_at, has_backbox, reason) values "
        "('default', md5('a')::uuid, now() - interval '5 minutes', true, null), "
        "('default', md5('b')::uuid, now() - interval '59 minutes', null, 'HTTP 500'), "
        "('default', md5('c')::uuid, now() - interval '61 minutes', null, 'HTTP 500'), "
        "('us', md5('a')::uuid, now(), true, null)"
    )
    words = plain(signed_in("viewer").get("/backmarket/backbox").text)
    assert "Competitors read 5 minutes ago" in words
    assert "Listings asked in the last hour 2 1 without an answer that can be read" in words
    assert "Competitors in on Repricing off backmarket_repricing holds &#39;perhaps&#39;" in words


def _move(subject: str, why: str = "winner 281.00, floor 280.00, so 280.00") -> PlannedChange:
    payload = {"id": str(UUID(int=7)), "price": "280.00", "old_price": "300", "currency": "EUR"}
    return PlannedChange(subject, {**payload, "why": why} if why else payload, "fr-fr")


def test_the_card_tells_share_and_moves(signed_in: SignIn, warehouse: Database) -> None:
    """Moves of repricing within a day; neither older ones nor prices that the seller set."""
    give_the_usual(warehouse)
    prices = Ledger(warehouse, "default", "price")
    prices.plan([_move("A"), _move("B"), _move("C"), _move("SET", why="")], run_id="r")
    prices.mark_sent(prices.planned())
    warehouse.execute("update backmarket.changes set sent_at = now() - interval '25 hours' where subject = 'C'")
    waiting = replace(_move("D"), status="awaiting_approval")
    prices.plan([waiting, replace(_move("E"), status="dry_run")], run_id="r")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/").text
    words = plain(page)
    assert (
        "BackBox 20 % won of 10 3 would win within the floor 2 moves in 24 hours, 1 in the dry run 1 to approve"
        in words
    )
    assert 'href="/backmarket/backbox/within-floor"' in page
    words = plain(viewer.get("/backmarket/backbox").text)
    assert "Moves in 24 hours 2 1 in the dry run To approve 1" in words


def test_the_card_is_there_while_something_is_on(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to count, too."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_REPRICING", "on")
    words = plain(signed_in("viewer").get("/backmarket/").text)
    assert "BackBox — 0 would win within the floor 0 moves in 24 hours" in words


def test_a_sku_tells_how_it_stands_in_each_market(signed_in: SignIn, warehouse: Database) -> None:
    """Prices, bounds and the reason in words, in any case of letters; as a file, too."""
    add_backbox(
        warehouse,
        "A",
        "fr-fr",
        price=300,
        to_win=280,
        winner=281,
        floor=270,
        ceiling=310,
        target=280,
        reason="winner 281.00, floor 270.00, so 280.00",
    )
    add_backbox(
        warehouse, "A", "de-de", price=300, to_win=300, winner=300, floor=270, is_winning=True, reason="it wins"
    )
    add_backbox(warehouse, "A", "es-es", price=None, to_win=None, winner=None, is_decided=False)
    warehouse.execute("update backmarket.backbox set gone_at = now() where market = 'es-es'")
    viewer = signed_in("viewer")
    words = plain(viewer.get("/backmarket/skus/a").text)
    assert "fr-fr lost 300 EUR 280 EUR 281 EUR 270 EUR 310 EUR 280 EUR winner 281.00, floor 270.00, so 280.00" in words
    assert "de-de won 300 EUR 300 EUR 300 EUR 270 EUR — — it wins" in words
    assert "es-es nobody competes — — — — — —" in words
    rows = rows_of(viewer.get("/backmarket/skus/A?table=backbox&format=csv"))
    assert [(row["Market"], row["BackBox"], row["Price to win"]) for row in rows] == [
        ("de-de", "won", "300"),
        ("es-es", "nobody competes", ""),
        ("fr-fr", "lost", "280"),
    ]
    assert "BackBox</h2>" not in viewer.get("/backmarket/skus/B").text


def _add_history(
    database: Database,
    listing: UUID,
    market: str,
    at: datetime,
    *,
    price: Decimal | int | None = 300,
    winner: Decimal | int | None = 281,
    is_winning: bool = False,
    takes_part: bool = True,
) -> None:
    database.execute(
        "insert into backmarket.backbox_history (account, id, market, read_at, price, winner_price, currency, "
        "is_winning, takes_part) values ('default', %s, %s, %s, %s, %s, 'EUR', %s, %s)",
        [listing, market, at, price, winner, is_winning, takes_part],
    )


def _over_points(page: str) -> dict[str, list[str]]:
    """The words over the points of each line, by the line's name."""
    (svg,) = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    found: dict[str, list[str]] = {}
    for words in re.findall(r"<title>([^<]* · [^<]*)</title>", svg):
        at, name, value = re.fullmatch(r"(.*) UTC · (.*): (.*)", words.replace("&#39;", "'")).groups()  # type: ignore[union-attr]
        found.setdefault(name, []).append(f"{at} {value}")
    return found


def test_a_sku_draws_our_price_and_the_winner_s(signed_in: SignIn, warehouse: Database) -> None:
    """From what held thirty days ago to what was read last; each change once, nothing while nobody competes."""
    now = datetime.now(UTC).replace(microsecond=0)
    moments = [now - timedelta(days=days) for days in (60, 40, 20, 10, 5, 1)]
    listing = add_backbox(warehouse, "A", "fr-fr", price="249.50", to_win=248, winner=248, floor=200, read_at=now)
    for at, price, winner, takes_part in (
        (moments[0], 400, 390, True),
        (moments[1], 300, 290, True),
        (moments[2], 300, 280, True),
        (moments[3], None, None, False),
        (moments[4], 300, 260, True),
        (moments[5], Decimal("249.50"), 248, True),
    ):
        _add_history(warehouse, listing, "fr-fr", at, price=price, winner=winner, takes_part=takes_part)
    page = signed_in("viewer").get("/backmarket/skus/A").text
    assert "<h3>Price in fr-fr, EUR</h3>" in page
    told = _over_points(page)
    times = [f"{at:%-d %b %H:%M}" for at in (moments[2], moments[4], moments[5], now)]
    assert [words.rpartition(" ")[2] for words in told["our price"]] == ["300", "300", "249.50", "249.50"]
    assert told["our price"][1:] == [f"{times[1]} 300", f"{times[2]} 249.50", f"{times[3]} 249.50"]
    assert told["the winner's"][1:] == [f"{times[0]} 280", f"{times[1]} 260", f"{times[2]} 248", f"{times[3]} 248"]
    assert told["the winner's"][0].endswith(" 290")
    assert told["our price"][0].startswith(f"{now - timedelta(days=30):%-d %b }")
    (svg,) = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert not re.search(r"<(script|style|defs|desc)\b|style=|href=|url\(", svg)
    assert 'role="img" aria-label="Price in fr-fr, EUR"' in svg
    assert "our price <b>249.50</b>" in page


def test_many_changes_are_shown_by_the_half_day(signed_in: SignIn, warehouse: Database) -> None:
    """A price that moves every hour makes no picture of 700 points: what each half day ended with, and it says so."""
    listing = add_backbox(warehouse, "A", "fr-fr", price=300, to_win=280, winner=281, floor=270)
    warehouse.execute(
        "insert into backmarket.backbox_history (account, id, market, read_at, price, winner_price, currency, "
        "is_winning) select 'default', %s, 'fr-fr', now() - n * interval '1 hour', 200 + n, 100 + n, 'EUR', false "
        "from generate_series(1, 700) as n",
        [listing],
    )
    page = signed_in("viewer").get("/backmarket/skus/A").text
    assert "last 30 days, as each half day ended" in page
    assert 55 <= len(_over_points(page)["our price"]) <= 64


def test_each_account_has_its_own(signed_in: SignIn, warehouse: Database, dags_of: Callable[..., None]) -> None:
    """Numbers, lists, stories and links stay with the account."""
    dags_of("default", "us")
    give_the_usual(warehouse)
    add_backbox(warehouse, "OURS", "en-us", price=300, to_win=280, winner=281, floor=280, account="us", currency="USD")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/backbox?account=us").text
    assert "Won 0 % 0 of 1 that compete" in plain(page)
    assert "/backmarket/skus/OURS?account=us" in page
    assert "LARGE" not in page
    assert "OURS" not in viewer.get("/backmarket/backbox").text
    (link,) = re.findall(r'href="(/backmarket/backbox/within-floor\?[^"]*format=csv)"', page)
    (row,) = rows_of(viewer.get(link.replace("&amp;", "&")))
    assert row["SKU"] == "OURS"
    assert "en-us lost 300 USD" in plain(viewer.get("/backmarket/skus/OURS?account=us").text)
    assert "BackBox 0 % won of 1 1 would win within the floor" in plain(viewer.get("/backmarket/?account=us").text)


def test_only_who_may_see_its_runs_sees_it(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads orders and stock alone sees no card, no page, no link, and none of it in a SKU's story."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    give_the_usual(warehouse)
    allowed = {"backmarket_orders", "backmarket_inventory_prices"}
    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id in allowed)
    viewer = signed_in("viewer")
    for path in ("backbox", "backbox?table=days&format=csv", *(f"backbox/{group}" for group in (*GROUPS, "all"))):
        assert viewer.get(f"/backmarket/{path}").status_code == 403
    for path in ("", "skus/LARGE"):
        assert "BackBox" not in viewer.get(f"/backmarket/{path}").text


def test_who_sees_the_backbox_alone_gets_to_its_stories(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row leads there; stock and orders stay hidden."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    give_the_usual(warehouse)
    warehouse.execute("insert into seller.stock (sku, quantity, counted_at) values ('LARGE', 41, now())")
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_backbox"
    )
    viewer = signed_in("viewer")
    assert viewer.get("/backmarket/backbox").status_code == 200
    story = plain(viewer.get("/backmarket/skus/LARGE").text)
    assert "fr-fr lost 300 EUR" in story
    assert "41" not in story
