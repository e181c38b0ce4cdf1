"""Reading where a listing stands in the competition for a BackBox, over HTTP."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pyrate_limiter import InMemoryBucket, Rate

from backmarket.api import errors
from backmarket.api.markets import MARKETS, market_of
from backmarket.api.throttle import CATALOG_RATES, ENDPOINT_RATES, GENERAL_RATES, Throttle
from backmarket.warehouse.jsonb import dump
from tests.api.hostile_server import HostileServer, Reply, Seen

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Competitor
    from tests.api.conftest import MakeClient

LISTING, OTHER = UUID("6d4ad966-db97-4d88-b409-b28cc2a0f8c9"), UUID("7e1f4a8d-b1bb-47aa-9f77-2cca759eb41b")
PATH = f"/ws/backbox/v1/competitors/{LISTING}"
HTML = "<html><body>Just a moment...</body></html>"
AMOUNTS = ("price", "min_price", "price_to_win", "winner_price")


def amount(value: object, currency: object = "EUR") -> dict[str, object]:
    """Make an amount."""
    return {"amount": value, "currency": currency}


def competitor(market: object = "FR", **fields: object) -> dict[str, Any]:
    """Make what is said of one market."""
    return {
        "listing_id": str(LISTING),
        "product_id": str(OTHER),
        "market": market,
        "price": amount("299.00"),
        "min_price": amount("250.5"),
        "price_to_win": amount("288.99"),
        "winner_price": amount("289"),
        "is_winning": False,
        **fields,
    }


def read(client: BackMarketClient, server: HostileServer, *documents: object) -> tuple[list[Competitor], list[str]]:
    """Read an answer, and return the markets that can be read, and why others cannot."""
    server.play = lambda _: Reply(list(documents))
    found = client.get_competitors(LISTING)
    return found.competitors, [each.reason for each in found.unreadable]


def test_a_document_is_read_with_exact_amounts(client: BackMarketClient, server: HostileServer) -> None:
    """One request for all markets; amounts from texts, the market by its code here, the document whole."""
    document = competitor(new_field={"since": 2027})
    server.play = lambda _: Reply([document, competitor("GB", **dict.fromkeys(AMOUNTS, amount("240.00", "GBP")))])
    before = datetime.now(UTC)
    found = client.get_competitors(LISTING)
    assert [(request.method, request.path, request.query) for request in server.seen] == [("GET", PATH, {})]
    assert before <= found.asked_at <= datetime.now(UTC)
    assert (found.listing_id, len(found), found.unreadable) == (LISTING, 2, [])
    french, british = found
    assert (french.market, french.currency, british.market, british.currency) == ("fr-fr", "EUR", "en-gb", "GBP")
    assert (french.listing_id, french.product_id, french.is_winning) == (LISTING, OTHER, False)
    shown = [getattr(french, name) for name in AMOUNTS]
    assert [str(each.amount) for each in shown] == ["299.00", "250.5", "288.99", "289"]
    assert {each.currency for each in shown} == {"EUR"}
    assert french.document == document


@pytest.mark.parametrize("written", ['"288.990"', "288.99", '"0288.99"', "2.8899e2", '" 288.99"'])
def test_no_amount_passes_through_a_float(client: BackMarketClient, server: HostileServer, written: str) -> None:
    """As a text or a number, with more zeros than needed."""
    body = json.dumps([competitor(price_to_win=amount("NUMBER"))]).replace('"NUMBER"', written)
    server.play = lambda _: Reply(body)
    (found,) = client.get_competitors(LISTING)
    assert found.price_to_win is not None
    assert found.price_to_win.amount == Decimal("288.99")
    assert isinstance(found.price_to_win.amount, Decimal)
    assert "288.98" not in dump(found.document)


@pytest.mark.parametrize(
    ("market", "expected"),
    [("FR", "fr-fr"), ("fr", "fr-fr"), ("fr-FR", "fr-fr"), ("FR-FR", "fr-fr"), ("gR", "el-gr"), (" be ", "fr-be")],
)
def test_a_market_is_known_in_either_case(
    client: BackMarketClient, server: HostileServer, market: str, expected: str
) -> None:
    """By its country, as the spec has it, or by its code."""
    found, reasons = read(client, server, competitor(market))
    assert ([each.market for each in found], reasons) == ([expected], [])


def test_each_market_has_a_country_of_its_own() -> None:
    """So a country names one market."""
    assert {code: market_of(code.partition("-")[2].upper()) for code in MARKETS} == MARKETS
    assert market_of("FI") is None
    assert market_of("") is None


@pytest.mark.parametrize("nothing", [None, "", amount(None), amount("", None), amount(None, "USD")])
def test_amounts_may_be_missing(client: BackMarketClient, server: HostileServer, nothing: object) -> None:
    """Where nobody wins, where there is no price of ours, where no price would win."""
    found, reasons = read(client, server, competitor(**dict.fromkeys(AMOUNTS, nothing)))
    assert reasons == []
    assert [each and each.amount for each in (getattr(found[0], name) for name in AMOUNTS)] == [None] * 4
    assert found[0].currency == "EUR"
    without = {name: value for name, value in competitor().items() if name not in AMOUNTS}
    assert read(client, server, without)[0][0].price_to_win is None


@pytest.mark.parametrize("given", [True, "true", 1, "1"])
def test_a_flag_may_come_as_text_or_number(client: BackMarketClient, server: HostileServer, given: object) -> None:
    """As other systems write it."""
    found, _ = read(client, server, competitor(is_winning=given))
    assert found[0].is_winning is True


SICK: list[tuple[object, str]] = [
    (None, "document: no object"),
    ("FR", "document: no object"),
    ([], "document: no object"),
    ({}, "market: missing; is_winning: missing"),
    (competitor(is_winning=None), "is_winning: neither true nor false"),
    (competitor(is_winning="perhaps"), "is_winning: neither true nor false"),
    (competitor(None), "market: no text"),
    (competitor(33), "market: no text"),
    (competitor("US", price=amount(1, "USD")), "market: no market of this platform"),
    (competitor("FI"), "market: no market of this platform"),
    (competitor(listing_id=str(OTHER)), "listing_id: another listing than asked for"),
    (competitor(listing_id=1234), "listing_id: no id"),
    *[
        (competitor(**{name: value}), f"{name}{reason}")
        for name in AMOUNTS
        for value, reason in (
            ("299.00", ": no object"),
            (299, ": no object"),
            (amount("299.00", "USD"), ": another currency than the market"),
            (amount("299.00", None), ": another currency than the market"),
            (amount("299.00", 978), ".currency: no text"),
            (amount("299.001"), ": more decimals than its currency has"),
            (amount("-0.01"), ".amount: too small"),
            (amount("1e999999999999999999999"), ".amount: no number"),
            (amount("1e400"), ".amount: too many digits"),
            (amount("NaN"), ".amount: no finite number"),
            (amount("299,00"), ".amount: no number"),
            (amount({}), ".amount: no number"),
            (amount(True), ".amount: no number"),
        )
    ],
]


@pytest.mark.parametrize(("document", "reason"), SICK, ids=str)
def test_what_cannot_be_read_is_set_apart_and_costs_no_other_market(
    client: BackMarketClient, server: HostileServer, document: object, reason: str
) -> None:
    """Prices follow from it, so nothing is guessed; it is kept whole."""
    found, reasons = read(client, server, document, competitor("DE"))
    assert [each.market for each in found] == ["de-de"]
    assert reasons == [reason]
    assert client.get_competitors(LISTING).unreadable[0].document == document


def test_yen_have_no_decimals(make_client: MakeClient, server: HostileServer) -> None:
    """Zeros after the point say nothing."""
    client = make_client(server.base_url, market="ja-jp")
    prices = dict.fromkeys(AMOUNTS, amount("45000.00", "JPY"))
    found, reasons = read(client, server, competitor("JP", **prices), competitor("AU", **prices))
    assert [each.market for each in found] == ["ja-jp"]
    assert reasons == ["; ".join(f"{name}: another currency than the market" for name in AMOUNTS)]
    _, reasons = read(client, server, competitor("JP", **{**prices, "price": amount("45000.5", "JPY")}))
    assert reasons == ["price: more decimals than its currency has"]


def test_a_market_that_comes_twice_is_believed_neither_time(client: BackMarketClient, server: HostileServer) -> None:
    """Also where it is spelled in two ways; the other markets are kept."""
    twice = [competitor(), competitor("fr-fr", price_to_win=amount("1.00"))]
    found, reasons = read(client, server, *twice, competitor("DE"))
    assert [each.market for each in found] == ["de-de"]
    assert reasons == ["market: comes more than once"] * 2


def test_an_unused_field_of_an_odd_form_costs_nothing(client: BackMarketClient, server: HostileServer) -> None:
    """It is named."""
    found, _ = read(client, server, competitor(product_id=7))
    assert (found[0].product_id, found[0].odd_fields) == (None, ("product_id: uuid_type",))


@pytest.mark.parametrize("body", [HTML, {"detail": "Not Found"}, "", []], ids=str)
def test_404_means_that_it_takes_part_in_no_backbox(
    client: BackMarketClient, server: HostileServer, body: object
) -> None:
    """Whatever stands in the body; so does an empty list."""
    server.play = lambda _: Reply(body, 404)
    for _ in range(2):
        found = client.get_competitors(LISTING)
        assert (list(found), found.unreadable, len(found)) == ([], [], 0)
        server.play = lambda _: Reply([])
    assert len(server.seen) == 2


@pytest.mark.parametrize("document", [{"results": [competitor()]}, "nothing", 7, True], ids=str)
def test_an_answer_that_is_no_list_is_carried_by_its_error(
    client: BackMarketClient, server: HostileServer, document: object
) -> None:
    """To be kept; it is not taken for an empty one, and not asked for again at once."""
    server.play = lambda _: Reply(json.dumps(document))
    with pytest.raises(errors.UnreadableDocumentError) as caught:
        client.get_competitors(LISTING)
    assert caught.value.document == document
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "expected", "tries"),
    [
        (Reply(HTML), errors.MalformedAnswerError, 3),
        (Reply(""), errors.MalformedAnswerError, 3),
        (Reply('[{"market": "F'), errors.MalformedAnswerError, 3),
        (Reply("null"), errors.MalformedAnswerError, 3),
        (Reply(HTML, 500), errors.ServerError, 3),
        (Reply(HTML, 429), errors.ThrottledError, 3),
        (Reply({"code": "invalid"}, 422), errors.RefusedError, 1),
        (Reply({"error": {"code": "x", "message": "m"}}, 401), errors.AuthenticationError, 1),
        (Reply({"error": {"code": "x", "message": "m"}}, 403), errors.ForbiddenError, 1),
        (Reply(HTML, 403), errors.FirewallError, 1),
    ],
    ids=str,
)
def test_each_request_is_told_before_it_is_made(
    make_client: MakeClient,
    server: HostileServer,
    reply: Reply,
    expected: type[errors.BackMarketError],
    tries: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that are repeated, too: who counts them counts what the server sees, and may forbid the next."""
    monkeypatch.setitem(ENDPOINT_RATES, "backbox", [Rate(100, 1_000)])
    server.play = lambda _: reply
    client = make_client(server.base_url, attempts=3)
    told: list[int] = []
    with pytest.raises(expected):
        client.get_competitors(LISTING, before_each=lambda: told.append(len(server.seen)))
    assert told == list(range(tries))
    assert len(server.seen) == tries

    class SpentError(Exception):
        """No request more."""

    def forbid() -> None:
        raise SpentError

    with pytest.raises(SpentError):
        client.get_competitors(LISTING, before_each=forbid)
    assert len(server.seen) == tries


class Strict:
    """Two requests in any second, by arrival; counts what is more."""

    def __init__(self) -> None:
        self.arrived: list[float] = []

    def __call__(self, _: Seen) -> Reply:
        """Answer at once."""
        self.arrived.append(monotonic())
        return Reply([])

    @property
    def breaches(self) -> int:
        """How many requests were one too many in the second before them."""
        return sum(last - first < 1.0 for first, last in zip(self.arrived, self.arrived[2:], strict=False))


def test_threads_together_keep_two_requests_a_second(make_client: MakeClient, server: HostileServer) -> None:
    """Eight of them, and two clients that share their counters; they are not held up for nothing."""
    server.play = strict = Strict()
    general, own = InMemoryBucket(GENERAL_RATES), InMemoryBucket(ENDPOINT_RATES["backbox"])
    throttles = [Throttle(general, InMemoryBucket(CATALOG_RATES), lambda *_: own) for _ in range(2)]
    clients = [make_client(server.base_url, throttle) for throttle in throttles]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: clients[number % 2].get_competitors(LISTING), range(9)))
    assert strict.breaches == 0
    assert len(strict.arrived) == 9
    assert strict.arrived[-1] - strict.arrived[0] < 9


def test_other_requests_do_not_wait_for_the_backbox(make_client: MakeClient, server: HostileServer) -> None:
    """Its limit is its own: under it, twenty requests would take fourteen seconds."""
    server.play = lambda _: Reply([])
    client = make_client(server.base_url, Throttle.in_memory())
    for _ in range(2):
        client.get_competitors(LISTING)
    started = monotonic()
    server.play = lambda _: Reply({"order_id": 7, "state": 1, "orderlines": []})
    for _ in range(20):
        client.get_order(7)
    assert monotonic() - started < 7
