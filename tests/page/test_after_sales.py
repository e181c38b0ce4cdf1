"""What comes after the sale on the page: what is open, the order's story, and the lists; never a word of a customer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.page.back_office import BackOffice
from backmarket.warehouse import refund_approval
from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.page.given import add_orders

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]
    Database = psycopg.Connection[Any]

LINE = 1000005
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
REFUND = {
    "order_id": 5,
    "orderline_id": LINE,
    "sku": "SKU-5",
    "refund": "refund",
    "amount": "20.00",
    "currency": "EUR",
    "is_whole": False,
    "ends_line": False,
}


def _plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def _add_folder(database: Database, care_folder_id: int, waits_for: str | None, hours: int, order_id: int = 5) -> None:
    """Store an open folder in which somebody has waited for so many hours."""
    database.execute(
        "insert into backmarket.care_folders (account, care_folder_id, order_id, state, country_code, issues, "
        "return_labels, date_creation, date_last_message, last_message_by, waits_for, waits_since, document, read_at) "
        "values ('default', %(id)s, %(order)s, 0, 'fr-fr', array['SCREEN_BROKEN'], "
        """'[{"url": "/bo/label-1.pdf", "state": "ALIVE", "kind": "CUSTOMER_TO_MERCHANT"}]', """
        "now() - interval '5 days', now() - %(hours)s * interval '1 hour', 'customer', %(waits_for)s, "
        "now() - %(hours)s * interval '1 hour', '{}', now())",
        {"id": care_folder_id, "order": order_id, "waits_for": waits_for, "hours": hours},
    )


def _add_return(database: Database, shipment_id: int, *, is_over: bool) -> None:
    database.execute(
        "insert into backmarket.returns (account, shipment_id, order_id, orderline_id, tracking_number, carrier_name, "
        "label_url, date_creation, date_delivery, document, read_at) values ('default', %(id)s, 5, %(line)s, 'R-1', "
        "'dhl', 'https://labels.example.com/1.pdf', now() - interval '2 days', case when %(over)s then now() end, "
        "'{}', now())",
        {"id": shipment_id, "line": LINE, "over": is_over},
    )


def test_the_card_counts_what_is_open(signed_in: SignIn, warehouse: Database) -> None:
    """Whose turn it is and since when, returns under way, refunds, and what Back Market does not serve."""
    assert "After sales" not in signed_in("viewer").get("/backmarket/").text
    add_orders(warehouse, 10)
    for number, (waits_for, hours) in enumerate([("seller", 30), ("seller", 2), ("customer", 90), (None, 1)]):
        _add_folder(warehouse, number, waits_for, hours)
    warehouse.execute("update backmarket.care_folders set state = 9 where care_folder_id = 3")
    _add_return(warehouse, 1, is_over=False)
    _add_return(warehouse, 2, is_over=True)
    Ledger(warehouse, "default", "refund").plan(
        [PlannedChange(str(LINE), REFUND, status="awaiting_approval", reason="large")], run_id="r"
    )
    warehouse.execute(
        "insert into backmarket.after_sales_parts (account, part, unavailable_since, asked_at) "
        "values ('default', 'deliveries', now(), now()), ('default', 'returns', null, null)"
    )
    plain = _plain(signed_in("viewer").get("/backmarket/").text)
    assert (
        "After sales 2 wait for you the longest since 1 day ago 1 for the customer 1 return under way "
        "refunds: 1 to approve not served: deliveries" in plain
    )


def test_the_card_is_there_while_something_is_on(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to count, too."""
    monkeypatch.setenv("AIRFLOW_VAR_BACKMARKET_CARE_DOWNLOAD", "on")
    assert "After sales 0 wait for you 0 for the customer 0 returns under way" in _plain(
        signed_in("viewer").get("/backmarket/").text
    )


def test_an_order_tells_what_came_after_the_sale(signed_in: SignIn, warehouse: Database) -> None:
    """Folders, who wrote to whom, labels and parcels, refunds and decisions; not a word that a person wrote."""
    add_orders(warehouse, 10)
    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint) "
        "values ('default', 'www.backmarket.fr', 'f')"
    )
    _add_folder(warehouse, 70, "seller", 30)
    _add_return(warehouse, 1, is_over=True)
    warehouse.execute(
        "insert into backmarket.care_messages (account, care_folder_id, message_id, sender, kind, date_creation, "
        "message, attachments) values "
        "('default', 70, 1, 'customer', 'CUSTOMER_TO_MERCHANT', now(), 'Jane here', array['https://x.example/jane']),"
        "('default', 70, 2, 'seller', 'MERCHANT_TO_ALL', now(), 'Dear Jane', '{}'),"
        "('default', 70, 3, 'bobee', 'WHATEVER', now(), 'Hello Jane', '{}')"
    )
    warehouse.execute(
        "insert into backmarket.deliveries (account, shipment_id, order_id, label_url, date_creation, document, "
        "read_at) values ('default', 3, 5, 'javascript:alert(1)', now(), '{}', now())"
    )
    refunds = Ledger(warehouse, "default", "refund")
    refunds.plan([PlannedChange(str(LINE), REFUND, status="awaiting_approval", reason="large")], run_id="r")
    warehouse.execute(
        "insert into backmarket.refund_approvals (account, orderline_id, order_id, kind, amount, currency, reason, "
        "status, run_id, asked_at, decided_at, decided_by) values "
        "('default', %s, 5, 'refund', 9, 'EUR', 'large', 'refused', 'r', now() - interval '1 day', now(), 'kim')",
        [LINE],
    )
    invoices = Ledger(warehouse, "default", "invoice")
    invoices.plan([PlannedChange("5", {"order_id": 5}, status="refused", reason="no PDF document")], run_id="r")
    viewer = signed_in("viewer")
    page = viewer.get("/backmarket/orders/5").text
    plain = _plain(page)
    for told in (
        "care folder opened care folder 70 · SCREEN_BROKEN",
        "the customer wrote to you care folder 70 · 1 attachment",
        "you wrote to all",
        "somebody wrote care folder 70",
        "return label made",
        "return announced dhl · R-1",
        "return reached you",
        "Backship label made",
        f"refund waits for a person line {LINE} · refund of 20.00 EUR · large",
        f"a person is asked line {LINE} · refund of 9 EUR · large",
        f"refund declined line {LINE} · refund of 9 EUR · by kim",
        "invoice refused no PDF document",
    ):
        assert told in plain
    assert 'href="https://www.backmarket.fr/bo/label-1.pdf" target="_blank" rel="noopener noreferrer"' in page
    assert 'href="https://labels.example.com/1.pdf"' in page
    assert "javascript:" not in page
    everything = page + viewer.get("/backmarket/orders/5?format=csv&table=story").text
    everything += viewer.get("/backmarket/care-folders").text + viewer.get("/backmarket/care-folders?format=csv").text
    assert "jane" not in everything.lower()


def test_after_sales_are_told_only_to_who_may_see_them(
    signed_in: SignIn, warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads orders alone sees no folder, no parcel, no refund, and none of their lists."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    add_orders(warehouse, 10)
    _add_folder(warehouse, 70, "seller", 30)
    _add_return(warehouse, 1, is_over=True)
    Ledger(warehouse, "default", "refund").plan([PlannedChange(str(LINE), REFUND)], run_id="r")
    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_dag", lambda _, *, details, **__: details.id == "backmarket_orders"
    )
    viewer = signed_in("viewer")
    story = viewer.get("/backmarket/orders/5").text
    for hidden in ("care folder", "return announced", "20.00 EUR"):
        assert hidden not in story
    overview = viewer.get("/backmarket/").text
    assert "Customers who wait" not in overview
    assert "After sales" not in overview
    for path in ("care-folders", "returns", "refunds", "needs/customers", "needs/refund_approvals"):
        assert viewer.get(f"/backmarket/{path}").status_code == 403


def test_a_sku_says_what_became_of_ended_lines(signed_in: SignIn, warehouse: Database) -> None:
    """A refund puts no unit on sale again, so nobody waits for that."""
    add_orders(warehouse, 1000)
    viewer = signed_in("viewer")
    assert "Of its lines" not in viewer.get("/backmarket/skus/SKU-5").text
    warehouse.execute("update backmarket.order_lines set state = 6 where sku = 'SKU-5'")
    warehouse.execute("update backmarket.order_lines set state = 4 where orderline_id = %s", [LINE])
    told = _plain(viewer.get("/backmarket/skus/SKU-5").text)
    assert "Of its lines ordered in the last 90 days, 1 was cancelled and 1 refunded." in told
    assert "until a newer count in seller.stock says that it came back" in told


def test_lists_show_how_far_each_thing_is(signed_in: SignIn, warehouse: Database) -> None:
    """Folders by the longest wait, returns, and refunds with who decided."""
    add_orders(warehouse, 10)
    _add_folder(warehouse, 71, "customer", 30, order_id=6)
    _add_folder(warehouse, 72, "seller", 40, order_id=7)
    _add_folder(warehouse, 73, None, 1, order_id=8)
    warehouse.execute("update backmarket.care_folders set state = 9, waits_since = null where care_folder_id = 73")
    _add_return(warehouse, 1, is_over=False)
    refunds = Ledger(warehouse, "default", "refund")
    refunds.plan([PlannedChange(str(LINE), REFUND, status="awaiting_approval", reason="large")], run_id="r")
    (question,) = refund_approval.DESK.unasked(warehouse, "default", decided_since=_LONG_AGO)
    warehouse.execute(
        "insert into backmarket.refund_approvals (account, orderline_id, order_id, kind, amount, currency, reason, "
        "status, run_id, decided_at, decided_by) "
        "values ('default', %s, 5, %s, %s, %s, '', 'approved', 'r', now(), 'kim')",
        [question.orderline_id, question.kind, question.amount, question.currency],
    )
    viewer = signed_in("viewer")
    folders = viewer.get("/backmarket/care-folders").text
    assert re.findall(r'href="/backmarket/orders/(\d+)"', folders) == ["7", "6", "8"]
    assert "waits for the customer" in folders
    assert "not handed over yet" in _plain(viewer.get("/backmarket/returns").text)
    refund = _plain(viewer.get("/backmarket/refunds").text)
    assert f"{LINE} SKU-5 refund" in refund
    assert "waits for a person 20.00 EUR large" in refund
    assert "kim" in refund
    assert "refund awaiting approval" in _plain(viewer.get("/backmarket/changes").text)


@pytest.mark.parametrize(
    ("host", "url", "whole"),
    [
        ("www.backmarket.de", "/label.pdf", "https://www.backmarket.fr/label.pdf"),
        ("www.backmarket.fr", "https://s3.example.com/l.pdf", "https://s3.example.com/l.pdf"),
        ("www.backmarket.fr", "javascript:alert(1)", ""),
        ("www.backmarket.fr", "data:text/html,x", ""),
        ("www.backmarket.fr", "", ""),
        ("www.backmarket.fr", None, ""),
        ("www.backmarket.fr", "https://[", ""),
        ("127.0.0.1:8099", "/label.pdf", "http://127.0.0.1:8099/label.pdf"),
        ("", "/label.pdf", ""),
    ],
)
def test_a_document_of_back_market_is_a_web_address(host: str, url: str | None, whole: str) -> None:
    """One without a host is the account's; what is no web address is no link."""
    assert BackOffice(host).document(url) == whole
