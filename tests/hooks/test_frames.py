"""What the seller API serves, as frames of pandas: over HTTP, typed, exact, without personal data."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pandas as pd
import pytest

from backmarket.api.errors import BackMarketError, ShortReadError
from backmarket.api.moving_list import MovingList
from backmarket.hooks.backmarket import BackMarketHook
from backmarket.services.frames import AMOUNT, COLUMNS
from tests.api.hostile_server import HostileServer, Reply, Seen

if TYPE_CHECKING:
    from sandbox.remote import Sandbox

HIDDEN_STATES = {0, 8}
SKU = "IP11-64-BLK-C"


@pytest.fixture
def hook(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> BackMarketHook:
    """The hook of a connection to the sandbox, which nobody else shares."""
    connection = {
        "conn_type": "backmarket",
        "host": sandbox.base_url,
        "password": sandbox.token,
        "extra": {"market": "fr-fr", "user_agent": "BM-Acme-Tests;tests@acme.fr"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(connection))
    return BackMarketHook(warehouse_conn_id=None)


def _listed(sandbox: Sandbox) -> dict[int, dict[str, Any]]:
    return {order["order_id"]: order for order in sandbox.orders() if order["state"] not in HIDDEN_STATES}


def _moment(written: str) -> datetime:
    """Read a time as the sandbox writes it: with an offset, or in UTC without one."""
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _dtypes(kind: Any) -> dict[str, str]:
    return {name: "object" if dtype == AMOUNT else dtype for name, dtype in COLUMNS[kind].items()}


def test_a_paged_list_is_one_frame_of_orders_and_one_of_lines(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """Three pages; every order once, every line beside its order, each value as Back Market wrote it."""
    orders, lines = hook.to_frames()
    listed = _listed(sandbox)
    assert sum(request["path"] == "/ws/orders" for request in sandbox.journal()) >= 3
    assert list(orders["order_id"]) == sorted(listed)
    assert {name: str(dtype) for name, dtype in orders.dtypes.items()} == _dtypes("orders")
    assert {name: str(dtype) for name, dtype in lines.dtypes.items()} == _dtypes("order_lines")
    for row in orders.to_dict("records"):
        served = listed[row["order_id"]]
        assert row["price"] == Decimal(str(served["price"]))
        assert row["date_creation"] == _moment(served["date_creation"])
    joined = lines.merge(orders, on="order_id", suffixes=("", "_of_order"))
    assert len(joined) == sum(len(order["orderlines"]) for order in listed.values())
    assert {type(value) for value in joined["price"].dropna()} == {Decimal}
    assert joined["price"].sum() == sum(
        Decimal(str(line["price"])) for order in listed.values() for line in order["orderlines"]
    )


def test_no_frame_has_personal_data(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """Neither addresses nor a customer's words, nor links that lead to a label."""
    orders, lines = hook.to_frames()
    told = orders.to_csv() + lines.to_csv()
    for order in _listed(sandbox).values():
        for address in (order["shipping_address"], order["billing_address"]):
            for name in ("last_name", "lastName", "street", "email", "phone", "phoneNumber"):
                assert address.get(name, "-no such-") not in told
    assert {"delivery_note", "tracking_url", "return_message"}.isdisjoint([*orders, *lines])


def test_orders_are_filtered_as_back_market_does(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """By state, market and time; the client is closed again after each reading."""
    listed = _listed(sandbox)
    paid = hook.get_df("orders", state=1)
    assert set(paid["order_id"]) == {order_id for order_id, order in listed.items() if order["state"] == 1}
    of_market = hook.get_df("order_lines", country_code="fr-fr")
    assert set(of_market["order_id"]) == {key for key, order in listed.items() if order["country_code"] == "fr-fr"}
    modified = {order_id: _moment(order["date_modification"]) for order_id, order in listed.items()}
    since = sorted(modified.values())[60].replace(microsecond=0)
    changed = hook.get_df("orders", date_modification=since)
    assert set(changed["order_id"]) == {order_id for order_id, moment in modified.items() if moment >= since}
    assert hook._client is None


def test_an_empty_frame_has_all_its_columns(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """With the same types, so that a concat or a Parquet file of a quiet day is like any other."""
    for kind in ("orders", "order_lines"):
        frame = hook.get_df(kind, date_creation=datetime(2100, 1, 1, tzinfo=UTC))
        assert len(frame) == 0
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == _dtypes(kind)


def test_a_document_that_cannot_be_understood_costs_no_other(
    sandbox: Sandbox, hook: BackMarketHook, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left out and named by its id; a field of an unexpected form, or a time that no column holds, is empty."""
    before = len(hook.get_df("orders"))
    lost, odd, far = (sandbox.create_order(sku=SKU, force=True)["order_id"] for _ in range(3))
    sandbox.fault("odd_document", order_id=lost, times=None, fields={"state": "shipped"})
    sandbox.fault("odd_document", order_id=odd, times=None, fields={"date_shipping": "0000-00-00T00:00:00Z"})
    sandbox.fault("odd_document", order_id=far, times=None, fields={"expected_dispatch_date": "9999-12-31T00:00:00Z"})
    capsys.readouterr()
    orders = hook.get_df("orders").set_index("order_id")
    logged = capsys.readouterr().out
    assert len(orders) == before + 2
    assert lost not in orders.index
    assert pd.isna(orders.loc[odd, "date_shipping"])
    assert pd.isna(orders.loc[far, "expected_dispatch_date"])
    assert f"Order {lost} could not be understood and is left out: state: no whole number" in logged
    assert "Field date_shipping has an unexpected form (no time) in 1 order: left empty." in logged
    assert "Column expected_dispatch_date: 1 time that pandas cannot hold, left empty." in logged


def test_half_a_character_costs_no_frame(hook: BackMarketHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Back Market has cut a text in an emoji: everything else of it stays, and everything else there is."""
    order = {
        "order_id": 7,
        "state": 1,
        "currency": "EUR",
        "price": "1.00",
        "payment_method": "CARD CUT",
        "date_modification": "2026-11-01T10:00:00Z",
        "orderlines": [{"id": 70, "state": 1, "listing": "A", "quantity": 1, "price": "1.00", "product": "Phone CUT"}],
    }
    listing = {"id": str(UUID(int=1)), "listing_id": 5, "sku": "A", "title": "Phone CUT", "quantity": 1}
    with HostileServer() as server:
        served = json.loads(os.environ["AIRFLOW_CONN_BACKMARKET_DEFAULT"]) | {"host": server.base_url}
        monkeypatch.setenv("AIRFLOW_CONN_BACKMARKET_DEFAULT", json.dumps(served))

        def play(asked: Seen) -> Reply:
            found = [] if asked.page > 1 else [listing if "listings" in asked.path else order]
            page = json.dumps({"count": 1, "next": None, "previous": None, "results": found})
            return Reply(page.replace("CUT", "\\ud83d"), headers={"Content-Type": "application/json"})

        server.play = play
        orders, lines = hook.to_frames()
        assert list(orders["payment_method"]) == ["CARD \ufffd"]
        assert list(lines["product"]) == ["Phone \ufffd"]
        assert list(hook.get_df("listings")["title"]) == ["Phone \ufffd"]


def test_half_a_list_is_no_frame(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """A refused token, or a page that cannot be read after all tries, raises."""
    sandbox.fault("401", times=None)
    with pytest.raises(BackMarketError):
        hook.get_df("orders")
    assert hook._client is None


def test_listings_have_a_row_for_each_market(sandbox: Sandbox, hook: BackMarketHook) -> None:
    """What describes the product is the same in each; price and state are the market's."""
    one = hook.get_df("listings")
    assert {name: str(dtype) for name, dtype in one.dtypes.items()} == _dtypes("listings")
    assert len(one) == len(sandbox.listings())
    assert set(one["market"]) == {"fr-fr"}
    two = hook.get_df("listings", market=["fr-fr", "de-de"])
    assert len(two) == 2 * len(one)
    assert two.groupby("id")["sku"].nunique().max() == 1
    online = hook.get_df("listings", market="de-de", publication_state=2)
    assert 0 < len(online) < len(one)
    assert {type(value) for value in online["price"].dropna()} == {Decimal}


@pytest.mark.parametrize(
    ("kind", "filters", "error", "words"),
    [
        ("customers", {}, ValueError, "There is no frame 'customers': orders, order_lines, listings."),
        ("orders", {"since": 1}, TypeError, "Frame orders has no filter since: date_modification, date_creation"),
        ("listings", {"state": 1}, TypeError, "Frame listings has no filter state: market, publication_state."),
        ("listings", {"market": "en-us"}, ValueError, "There is no market en-us on this platform: fr-fr, fr-be"),
        ("orders", {"date_creation": datetime(2026, 1, 1)}, ValueError, "pass an aware datetime"),  # noqa: DTZ001 - the point
    ],
)
def test_what_cannot_be_asked_for_is_told_with_what_can(
    hook: BackMarketHook, kind: Any, filters: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Before anything is asked of Back Market."""
    with pytest.raises(error) as raised:
        hook.get_df(kind, **filters)
    assert words in str(raised.value)


def test_large_numbers_and_missing_ones_stand_beside_each_other() -> None:
    """No id passes through a float, which would round it."""
    from backmarket.services.frames import _column

    column = _column("order_id", "Int64", [2**62 + 1, None], logging.getLogger())
    assert column[0] == 2**62 + 1
    assert column[1] is pd.NA


@pytest.mark.parametrize("kind", ["orders", "listings"])
def test_a_list_that_moved_too_much_is_no_frame(
    hook: BackMarketHook, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """What was read of it would pass for the whole."""
    never = property(lambda _: False, lambda *_: None)
    monkeypatch.setattr(MovingList, "is_complete", never, raising=False)
    with pytest.raises(ShortReadError):
        hook.get_df(kind)
