"""Who competes with a listing, who wins, and how competitors move with the clock."""

from pathlib import Path

import httpx
import pytest

from sandbox.backbox.habits import CRASHER, FOLLOWER, HABITS, SLEEPER, UNDERCUTTER, Rival, move, price_to_win, wins
from sandbox.config import SandboxConfig
from sandbox.dice import dice
from sandbox.remote import ControlError, Json, Sandbox
from sandbox.server import running_sandbox

PHONE, CONSOLE = "IP11-64-BLK-C", "PS5-SLIM-1TB-C"
HOUR = 3600.0
UNKNOWN = "6d4ad966-db97-4d88-b409-b28cc2a0f8c9"


def path_of(listing_id: str) -> str:
    """Give the endpoint's path."""
    return f"/ws/backbox/v1/competitors/{listing_id}"


@pytest.fixture
def phone(sandbox: Sandbox) -> Json:
    """A smartphone on sale at 300 in France, alone in all its markets, and its id."""
    offers = {"fr-fr": {"price": "300.00", "min_price": "250.00", "max_price": "400.00", "comment": "Tested"}}
    sandbox.remove_competitors(PHONE)
    return sandbox.patch_listing(PHONE, quantity=5, offers=offers)


def shown(client: httpx.Client, phone: Json, market: str = "FR") -> Json:
    """Give the document of one market."""
    answer = client.get(path_of(phone["id"]))
    assert answer.status_code == 200
    (found,) = [document for document in answer.json() if document["market"] == market]
    return dict(found)


def euros(amount: str) -> Json:
    """Give an amount as it is served."""
    return {"amount": amount, "currency": "EUR"}


def rival(habit: str, price: int, floor: int = 0, usual: int = 10_000, **more: int) -> Rival:
    """Give a rival; amounts are minor units."""
    return Rival(habit, price, floor, usual, **more)


def test_a_document_has_what_the_description_says(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """Every field, amounts as texts with the currency's decimals, the market by its country."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "sleeper", "price": "289.5"}, {"habit": "sleeper", "price": 310})
    assert shown(client, phone) == {
        "listing_id": phone["id"],
        "product_id": phone["product_id"],
        "market": "FR",
        "price": euros("300.00"),
        "min_price": euros("250.00"),
        "price_to_win": euros("289.50"),
        "winner_price": euros("289.50"),
        "is_winning": False,
    }


def test_a_new_price_changes_at_once_who_wins(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """The lowest price wins, ours on equality; who wins is told the highest price that still does."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "sleeper", "price": "289.50"})
    for price, winner, is_winning in (
        ("289.51", "289.50", False),
        ("289.50", "289.50", True),
        ("270.00", "270.00", True),
    ):
        body = {"price": price, "currency": "EUR"}
        assert client.post(f"/ws/listings/{phone['id']}", json=body).status_code == 200
        document = shown(client, phone)
        assert (document["price"], document["winner_price"]) == (euros(price), euros(winner))
        assert (document["price_to_win"], document["is_winning"]) == (euros("289.50"), is_winning)


def test_who_stands_alone_wins_at_any_price(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """Then there is no price to win; without a least price of the seller's there is none of that either."""
    sandbox.set_competitors(PHONE, "fr-fr")
    sandbox.patch_listing(PHONE, offers={"fr-fr": {"min_price": None}})
    document = shown(client, phone)
    assert (document["is_winning"], document["price_to_win"], document["min_price"]) == (True, None, None)
    assert document["winner_price"] == euros("300.00")


def test_only_markets_where_it_is_on_sale_and_competes_are_shown(
    sandbox: Sandbox, client: httpx.Client, phone: Json
) -> None:
    """A market that does not show the listing, or has no competition, has no document; with none it answers 404."""
    offers = {"de-de": {"price": "310.00", "max_price": "400.00", "comment": "Geprüft"}}
    sandbox.patch_listing(PHONE, offers=offers)
    for market in ("fr-fr", "de-de"):
        sandbox.set_competitors(PHONE, market, {"habit": "sleeper", "price": 300})
    assert {document["market"] for document in client.get(path_of(phone["id"])).json()} == {"FR", "DE"}
    sandbox.patch_listing(PHONE, offers={"de-de": {"price": "400.01"}})
    assert [document["market"] for document in client.get(path_of(phone["id"])).json()] == ["FR"]
    sandbox.patch_listing(PHONE, quantity=0)
    assert client.get(path_of(phone["id"])).status_code == 404
    sandbox.patch_listing(PHONE, quantity=1)
    assert client.get(path_of(phone["id"])).status_code == 200
    sandbox.remove_competitors(PHONE, "fr-fr")
    assert client.get(path_of(phone["id"])).status_code == 404
    assert sandbox.competitors(PHONE).keys() == {"de-de"}


def test_what_is_no_listing(client: httpx.Client) -> None:
    """An unknown one answers 404; what is no UUID 422, as problem documents; another method 405."""
    missing = client.get(path_of(UNKNOWN))
    assert (missing.status_code, missing.json()["status"], missing.json()["error"]["code"]) == (404, 404, "not_found")
    for key in ("42", "x", UNKNOWN[:-1], f"{{{UNKNOWN}}}", UNKNOWN.replace("-", ""), f"urn:uuid:{UNKNOWN}"):
        answer = client.get(path_of(key))
        assert (answer.status_code, answer.json()["status"]) == (422, 422)
    assert client.post(path_of(UNKNOWN), json={}).status_code == 405


def test_the_case_of_a_listing_id_does_not_matter(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """As with listings themselves."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "sleeper", "price": 300})
    assert client.get(path_of(phone["id"].upper())).json() == client.get(path_of(phone["id"])).json()


def test_most_smartphones_have_one_to_three_competitors(sandbox: Sandbox, client: httpx.Client) -> None:
    """In each market where they are on sale, in its currency; nothing else has any."""
    habits = set()
    with_some, without = 0, 0
    for listing in sandbox.listings():
        states = listing["publication_states"]
        on_sale = {code for code, state in states.items() if state == 2}
        competitors = sandbox.competitors(listing["listing_id"])
        assert listing["category"] == 101 or not competitors
        if listing["category"] != 101 or not on_sale:
            continue
        assert not competitors or on_sale <= competitors.keys()
        assert all(1 <= len(rivals) <= 3 for rivals in competitors.values())
        habits |= {each["habit"] for rivals in competitors.values() for each in rivals}
        with_some, without = with_some + bool(competitors), without + (not competitors)
        answer = client.get(path_of(listing["id"]))
        assert answer.status_code == (200 if competitors else 404)
        for document in answer.json() if competitors else []:
            assert document["price"]["currency"] == {"GB": "GBP", "SE": "SEK"}.get(document["market"], "EUR")
    assert habits == set(HABITS)
    assert with_some > 2 * without > 0


def test_yen_have_no_decimals() -> None:
    """Neither in prices nor in what a crash ends at."""
    with (
        running_sandbox(SandboxConfig(orders=1, platform="AP", rate_limit=False)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        phone = sandbox.patch_listing(
            PHONE, quantity=1, offers={"ja-jp": {"price": "30000", "comment": "x", "max_price": "40000"}}
        )
        sandbox.set_competitors(PHONE, "ja-jp", {"habit": "sleeper", "price": "28900"})
        assert shown(client, phone, "JP")["price_to_win"] == {"amount": "28900", "currency": "JPY"}


@pytest.mark.parametrize(
    ("habit", "ours", "becomes"),
    [
        ("undercutter", "280.00", "279.99"),
        ("undercutter", "250.00", "270.00"),
        ("undercutter", "395.00", "320.00"),
        ("follower", "280.00", "280.00"),
        ("follower", "250.00", "270.00"),
        ("follower", "395.00", "320.00"),
        ("sleeper", "280.00", "290.00"),
    ],
)
def test_competitors_have_habits(
    sandbox: Sandbox, client: httpx.Client, phone: Json, habit: str, ours: str, becomes: str
) -> None:
    """Just below the best, as the best, or where it is; never below their floor nor above what is usual."""
    other = {"habit": habit, "price": "290.00", "floor": "270.00", "usual": "320.00"}
    sandbox.set_competitors(PHONE, "fr-fr", other)
    client.post(f"/ws/listings/{phone['id']}", json={"price": ours, "currency": "EUR"})
    sandbox.advance_clock(HOUR)
    assert sandbox.competitors(PHONE)["fr-fr"][0]["price"] == becomes
    assert shown(client, phone)["price_to_win"] == euros(becomes)


def test_nobody_moves_while_the_clock_stands(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """A competitor looks twice an hour, and sees the price that we had until then."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "undercutter", "price": 320, "step": 5})
    assert shown(client, phone)["is_winning"]
    sandbox.advance_clock(HOUR)
    sandbox.patch_listing(PHONE, offers={"fr-fr": {"price": "280.00"}})
    assert sandbox.competitors(PHONE)["fr-fr"][0]["price"] == "295.00"
    assert shown(client, phone)["is_winning"]
    sandbox.advance_clock(HOUR)
    assert sandbox.competitors(PHONE)["fr-fr"][0]["price"] == "275.00"
    assert not shown(client, phone)["is_winning"]


def test_a_crasher_asks_for_one_now_and_then() -> None:
    """For two to twelve hours, about once a week, and then for what is usual again."""
    rng, crasher = dice(7, 0), rival(CRASHER, 30_000, 28_000, 30_000)
    prices = []
    for _ in range(48 * 365):
        move([crasher], 29_000, 100, rng)
        prices.append(crasher.price)
    assert set(prices) == {100, 30_000}
    lengths = [len(run) for run in "".join("c" if price == 100 else " " for price in prices).split()]
    assert 30 < len(lengths) < 70
    assert min(lengths) >= 4
    assert max(lengths) <= 24


def test_rivals_react_to_each_other_and_to_us() -> None:
    """An undercutter without anybody to undercut asks for what is usual; a crash leads nobody below its floor."""
    under, follow = rival(UNDERCUTTER, 9_000, 5_000), rival(FOLLOWER, 8_000, 6_000)
    rivals = [under, follow, rival(SLEEPER, 100)]
    move(rivals, None, 100, dice(1, 0))
    assert [each.price for each in rivals] == [5_000, 6_000, 100]
    move([under], None, 100, dice(1, 0))
    assert under.price == 10_000
    move([under, follow], 7_000, 100, dice(1, 0))
    assert (under.price, follow.price) == (5_999, 6_000)
    assert price_to_win([under, follow]) == 5_999
    assert (wins(5_999, [under, follow]), wins(6_000, [under, follow]), wins(1, [])) == (True, False, True)
    assert price_to_win([]) is None


def test_who_pays_little_attention_moves_seldom() -> None:
    """An undercutter that looks once in five times is late."""
    rng, lazy = dice(3, 0), Rival(UNDERCUTTER, 9_000, 5_000, 10_000, attention=0.2)
    moved = 0
    for step in range(1_000):
        before = lazy.price
        move([lazy], 8_000 + step % 2, 100, rng)
        moved += lazy.price != before
    assert 50 < moved < 200


def test_the_same_seed_gives_the_same_competition() -> None:
    """Whatever the time of day is; another seed another."""

    def played(seed: int) -> list[dict[str, list[Json]]]:
        with running_sandbox(SandboxConfig(orders=1, seed=seed, rate_limit=False)) as sandbox:
            listings = [listing["id"] for listing in sandbox.listings()[:12]]
            before = [sandbox.competitors(each) for each in listings]
            sandbox.advance_clock(30 * 24 * HOUR)
            return before + [sandbox.competitors(each) for each in listings]

    first = played(5)
    assert first == played(5)
    assert first[:12] != first[12:]
    with running_sandbox(SandboxConfig(orders=1, seed=6)) as sandbox:
        assert first[0] != sandbox.competitors(sandbox.listings()[0]["id"])


def test_competitors_outlive_a_restart(tmp_path: Path) -> None:
    """Those that were set, that moved and that were removed; a reset goes back to the seeded ones."""
    config = SandboxConfig(orders=1, state_file=tmp_path / "state.sqlite", rate_limit=False)
    with running_sandbox(config) as sandbox:
        seeded = sandbox.competitors(PHONE)
        sandbox.set_competitors(PHONE, "fr-fr", {"habit": "undercutter", "price": 900, "step": 7})
        sandbox.set_competitors(PHONE, "es-es")
        sandbox.remove_competitors(PHONE, "de-de")
        sandbox.advance_clock(HOUR)
        kept = sandbox.competitors(PHONE)
        sandbox.advance_clock(-HOUR)
    with running_sandbox(config) as sandbox:
        assert sandbox.competitors(PHONE) == kept
        assert kept["es-es"] == []
        assert "de-de" not in kept
        sandbox.patch_listing(PHONE, quantity=1, offers={"fr-fr": {"price": "200.00"}})
        sandbox.advance_clock(HOUR)
        assert sandbox.competitors(PHONE)["fr-fr"][0]["price"] == "193.00"
        sandbox.reset()
        assert sandbox.competitors(PHONE) == seeded


def test_more_than_two_requests_a_second_are_refused() -> None:
    """The third answers 429 with a Cloudflare page, other endpoints pass, and the journal tells."""
    with (
        running_sandbox(SandboxConfig(orders=1)) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers) as client,
    ):
        answers = [client.get(path_of(UNKNOWN)) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [404, 404, 429, 429]
        assert "html" in answers[2].headers["content-type"]
        assert client.get("/ws/listings").status_code == 200
        over = [entry["over_limit"] for entry in sandbox.journal(path_prefix="/ws/backbox/")]
        assert over == [False, False, True, True]
        sandbox.forget_traffic()
        assert client.get(path_of(UNKNOWN)).status_code == 404


@pytest.mark.parametrize(
    ("kind", "status"),
    [("500", 500), ("404", 404), ("403", 403), ("html_200", 200), ("502_html", 502), ("429_retry_after", 429)],
)
def test_faults_strike_one_listing(sandbox: Sandbox, client: httpx.Client, phone: Json, kind: str, status: int) -> None:
    """As they do elsewhere; another listing answers."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "sleeper", "price": 300})
    sandbox.fault(kind, listing=phone["id"], path_prefix="/ws/backbox/", times=None)
    for _ in range(2):
        answer = client.get(path_of(phone["id"]))
        assert answer.status_code == status
        assert kind != "html_200" or answer.text.startswith("<!DOCTYPE html>")
    assert client.get(path_of(UNKNOWN)).json()["error"]["message"] == "No competitor"
    assert client.get(f"/ws/listings/{phone['id']}").status_code == 200


def test_an_answer_can_come_late_or_cut(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """What is spoiled after the answer was made."""
    sandbox.set_competitors(PHONE, "fr-fr", {"habit": "sleeper", "price": 300})
    sandbox.fault("slow", listing=phone["id"], seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        client.get(path_of(phone["id"]), timeout=0.1)
    sandbox.fault("cut_json", listing=phone["id"])
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        client.get(path_of(phone["id"])).json()
    sandbox.fault("reset_after", listing=phone["id"])
    with pytest.raises(httpx.TransportError):
        client.get(path_of(phone["id"]))
    assert shown(client, phone)["is_winning"]


def test_a_competitor_can_read_oddly(sandbox: Sandbox, client: httpx.Client, phone: Json) -> None:
    """In all markets or in one, whatever the request's language is; the listing itself only where it is meant too."""
    sandbox.patch_listing(PHONE, offers={"de-de": {"price": "310.00", "max_price": "400.00", "comment": "x"}})
    for market in ("fr-fr", "de-de"):
        sandbox.set_competitors(PHONE, market, {"habit": "sleeper", "price": 300})
    honest = {document["market"]: document for document in client.get(path_of(phone["id"])).json()}
    odd = {"path_prefix": "/ws/backbox/", "listing": phone["id"], "times": None}
    fault = sandbox.fault("odd_document", market="de-de", fields={"price": "much"}, without=["is_winning"], **odd)
    spoiled = {document["market"]: document for document in client.get(path_of(phone["id"])).json()}
    german = {**honest["DE"], "price": "much"}
    del german["is_winning"]
    assert spoiled == {"FR": honest["FR"], "DE": german}
    assert client.get(f"/ws/listings/{phone['id']}").json()["price"] == "300.00"
    sandbox.remove_fault(fault["id"])
    sandbox.fault("odd_document", fields={"winner_price": {"amount": "1e400", "currency": "???"}}, **odd)
    amounts = [each["winner_price"]["amount"] for each in client.get(path_of(phone["id"])).json()]
    assert amounts == ["1e400", "1e400"]


def test_the_control_api_refuses_what_makes_no_sense(sandbox: Sandbox) -> None:
    """An unknown listing, market, habit or field, and a price that is no number."""
    sleeper = {"habit": "sleeper", "price": 1}
    for listing, market, competitor, message in (
        ("NO-SUCH", "fr-fr", sleeper, "404"),
        (PHONE, "xx-xx", sleeper, "404"),
        (PHONE, "fr-fr", {"habit": "dreamer", "price": 1}, "is none of undercutter, follower, sleeper, crasher"),
        (PHONE, "fr-fr", {**sleeper, "mood": 1}, "a competitor has no mood"),
        (PHONE, "fr-fr", {**sleeper, "price": "much"}, "400"),
    ):
        with pytest.raises(ControlError, match=message):
            sandbox.set_competitors(listing, market, competitor)


def test_a_sku_with_a_slash_is_found(sandbox: Sandbox) -> None:
    """As the control API is asked about any SKU."""
    sandbox.set_competitors("RN12/128/ICE-C", "fr-fr", {"habit": "sleeper", "price": "99.90"})
    (found,) = sandbox.competitors("RN12/128/ICE-C")["fr-fr"]
    assert (found["habit"], found["price"], found["usual"], found["floor"]) == ("sleeper", "99.90", "99.90", "0.00")
