"""One name for one Back Market account in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from backmarket.seller_account import account_of
from backmarket.warehouse.accounts import AccountMixUpError, KnownThing, record_check
from backmarket.warehouse.accounts import claim as claim_account

if TYPE_CHECKING:
    from collections.abc import Sequence


def claim(
    connection: psycopg.Connection[Any], account: str, url: str, token: str, *shown: str, conn_id: str = ""
) -> list[KnownThing]:
    """Claim an account with a token that sees these orders and listings; return what was asked for."""
    asked: list[KnownThing] = []

    def shows_any(known: Sequence[KnownThing]) -> bool:
        asked.extend(known)
        return any(thing.key in shown for thing in known)

    conn_id = conn_id or f"backmarket_{account}"
    claim_account(connection, account, conn_id, urlsplit(url).netloc, token, shows_any=shows_any)
    return asked


def _store_orders(connection: psycopg.Connection[Any], *order_ids: int) -> None:
    for order_id in order_ids:
        connection.execute(
            b"insert into backmarket.orders (account, order_id, state, document, first_seen_at, read_at) "
            b"values ('default', %s, 3, '{}', now(), now())",
            [order_id],
        )


EU, PREPROD = "https://www.backmarket.fr", "https://preprod.backmarket.fr"


def test_the_account_is_the_connection_id_without_its_prefix() -> None:
    """``backmarket_default`` is account ``default``."""
    assert account_of("backmarket_default") == "default"
    assert account_of("backmarket_north_america") == "north_america"


def test_a_renewed_token_is_taken_over(warehouse: psycopg.Connection[Any]) -> None:
    """Tokens get revoked; the account stays the same, and the token itself is never stored."""
    claim(warehouse, "default", EU, "first-token")
    claim(warehouse, "default", EU, "second-token")
    rows = warehouse.execute("select account, host, token_fingerprint from backmarket.accounts").fetchall()
    assert [row[:2] for row in rows] == [("default", "www.backmarket.fr")]
    assert "token" not in rows[0][2]


def test_what_a_check_found_of_a_token_is_not_told_of_the_next(warehouse: psycopg.Connection[Any]) -> None:
    """The page would say that Back Market refuses the token for a day after it was renewed."""
    claim(warehouse, "default", EU, "first-token")
    record_check(warehouse, "default", platform="EU", token_valid=False, details={})
    query = "select token_valid, checked_at is null, check_details from backmarket.accounts"
    claim(warehouse, "default", EU, "first-token", conn_id="shop")
    assert warehouse.execute(query).fetchall() == [(False, False, {})]
    claim(warehouse, "default", EU, "second-token", conn_id="shop")
    assert warehouse.execute(query).fetchall() == [(None, True, None)]


def test_a_new_token_that_sees_a_known_order_is_taken_over(warehouse: psycopg.Connection[Any]) -> None:
    """One of what is stored is enough; some of it may be too old to be served."""
    claim(warehouse, "default", EU, "first-token")
    _store_orders(warehouse, 1, 2, 3)
    claim(warehouse, "default", EU, "second-token", "2")
    assert claim(warehouse, "default", EU, "second-token") == []


def test_back_market_is_asked_while_others_go_on(warehouse: psycopg.Connection[Any], warehouse_uri: str) -> None:
    """Its answer may take minutes, for which no other account has to wait; what they claim meanwhile is respected."""
    claim(warehouse, "default", EU, "first-token")
    _store_orders(warehouse, 1)

    def claim_another(known: Sequence[KnownThing]) -> bool:
        with psycopg.connect(warehouse_uri, autocommit=True) as other:
            other.execute("set statement_timeout to '5s'")
            claim(other, "second", EU, "second-token")
        return bool(known)

    with pytest.raises(AccountMixUpError, match="already run as 'second'"):
        claim_account(
            warehouse, "default", "backmarket_default", urlsplit(EU).netloc, "second-token", shows_any=claim_another
        )


def test_another_sellers_token_is_refused(warehouse: psycopg.Connection[Any]) -> None:
    """It sees nothing of what is stored: two sellers' orders would mix. The message says how to confirm a doubt."""
    claim(warehouse, "default", EU, "first-token")
    _store_orders(warehouse, *range(1, 30))
    with pytest.raises(AccountMixUpError, match="another seller's") as refusal:
        claim(warehouse, "default", EU, "foreign-token", "77")
    assert "deleting the row of 'default' from backmarket.accounts" in str(refusal.value)
    assert "foreign-token" not in str(refusal.value)
    warehouse.execute(b"delete from backmarket.accounts where account = 'default'")
    claim(warehouse, "default", EU, "foreign-token")


def test_one_account_under_two_names_is_refused(warehouse: psycopg.Connection[Any]) -> None:
    """Otherwise every order would be accepted and every unit sold twice."""
    claim(warehouse, "default", EU, "token")
    with pytest.raises(AccountMixUpError, match="already run as 'default'"):
        claim(warehouse, "second", EU, "token")


def test_a_name_keeps_its_platform(warehouse: psycopg.Connection[Any]) -> None:
    """Orders of preprod never mix with real ones."""
    claim(warehouse, "default", EU, "token")
    with pytest.raises(AccountMixUpError, match=r"www\.backmarket\.fr"):
        claim(warehouse, "default", PREPROD, "token")


def test_two_accounts_share_a_database(warehouse: psycopg.Connection[Any]) -> None:
    """Different tokens are different accounts."""
    claim(warehouse, "default", EU, "token")
    claim(warehouse, "other", EU, "other-token")
    assert warehouse.execute("select count(*) from backmarket.accounts").fetchone() == (2,)


def test_a_sandbox_may_move_to_another_port(warehouse: psycopg.Connection[Any]) -> None:
    """A local Back Market takes whatever port is free."""
    claim(warehouse, "default", "http://127.0.0.1:8901", "token")
    claim(warehouse, "default", "http://localhost:8902", "token")
    assert warehouse.execute("select host from backmarket.accounts").fetchone() == ("localhost:8902",)


def test_a_host_is_the_same_with_its_port_and_in_capitals(warehouse: psycopg.Connection[Any]) -> None:
    """Rows of earlier versions have it as the connection did."""
    claim(warehouse, "default", EU, "token")
    warehouse.execute("update backmarket.accounts set host = 'WWW.backmarket.fr:443'")
    claim(warehouse, "default", EU, "token")


def test_two_connections_do_not_share_a_name(warehouse: psycopg.Connection[Any]) -> None:
    """``shop`` and ``backmarket_shop`` both lead to account ``shop``; before anything is stored no order could tell."""
    claim(warehouse, "shop", EU, "one-token", conn_id="backmarket_shop")
    with pytest.raises(AccountMixUpError, match="stands for the account of connection backmarket_shop"):
        claim(warehouse, "shop", EU, "other-token", conn_id="shop")
    claim(warehouse, "shop", EU, "one-token", conn_id="backmarket_shop")


def test_a_connection_may_get_another_name(warehouse: psycopg.Connection[Any]) -> None:
    """With the same token it is the same account; from then on it is known by its new name."""
    claim(warehouse, "shop", EU, "token", conn_id="backmarket_shop")
    claim(warehouse, "shop", EU, "token", conn_id="shop")
    claim(warehouse, "shop", EU, "renewed-token", conn_id="shop")
