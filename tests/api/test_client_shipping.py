"""Reading the parcels that Back Market ships for a seller, over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tests.api.hostile_server import HostileServer, Play, Reply, Seen

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient


def shipments(total: int, *, size: int, name: str = "shipmentId") -> Play:
    """Serve a list of shipments whose pages have a size of their own."""

    def play(request: Seen) -> Reply:
        first = (request.page - 1) * size + 1
        rows = [{name: each, "order": each} for each in range(first, min(first + size, total + 1))]
        following = "https://elsewhere.invalid?page=2" if first + size <= total else None
        return Reply({"count": total, "next": following, "previous": None, "results": rows})

    return play


@pytest.mark.parametrize("name", ["shipmentId", "shipment_id"])
@pytest.mark.parametrize(
    ("total", "size", "requests"), [(0, 10, 1), (10, 10, 1), (50, 50, 1), (35, 10, 9), (130, 50, 7), (130, 100, 5)]
)
def test_shipments_are_read_whole(
    client: BackMarketClient, server: HostileServer, name: str, total: int, size: int, requests: int
) -> None:
    """One page is one request; no size is ever asked for, however many rows a page has."""
    server.play = shipments(total, size=size, name=name)
    deliveries, returns = client.moving_deliveries(), client.moving_returns()
    delivered = {each.shipment_id for page in deliveries.pages() for each in page.deliveries}
    returned = {each.shipment_id for page in returns.pages() for each in page.returns}
    assert delivered == returned == set(range(1, total + 1))
    assert deliveries.is_proven
    assert returns.is_proven
    assert len(server.seen) == 2 * requests
    assert all(set(request.query) == {"page"} for request in server.seen)
    paths = [request.path for request in server.seen]
    assert paths == ["/ws/shipping/v1/deliveries"] * requests + ["/ws/shipping/v1/returns"] * requests


def test_what_filters_shipments(client: BackMarketClient, server: HostileServer) -> None:
    """Times in UTC without a zone, as in the spec's example; only what was given."""
    server.play = shipments(0, size=10)
    since = datetime(2026, 7, 1, 1, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    until = since + timedelta(days=1)
    list(client.moving_deliveries(created_since=since, created_until=until, order_id=42).pages())
    list(client.moving_returns(created_since=since).pages())
    dates = {"start_date": "2026-06-30T23:59:59", "end_date": "2026-07-01T23:59:59"}
    assert [request.query for request in server.seen] == [
        {**dates, "order_id": "42", "page": "1"},
        {"start_date": dates["start_date"], "page": "1"},
    ]
    with pytest.raises(ValueError, match="aware"):
        client.moving_returns(created_until=datetime(2026, 7, 1))  # noqa: DTZ001 - refused


def test_a_shipment_that_cannot_be_read_costs_no_other(client: BackMarketClient, server: HostileServer) -> None:
    """It is kept whole, beside what could be read."""
    server.answer(Reply({"count": 2, "next": None, "results": [{"shipmentId": 1}, {"order": 2}]}))
    (page,) = client.moving_deliveries().pages()
    assert ([each.shipment_id for each in page.deliveries], page.count, page.number) == ([1], 2, 1)
    assert [each.document for each in page.unreadable] == [{"order": 2}]
