"""One name for one Back Market account in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from backmarket.warehouse.accounts import AccountMixUpError, account_of, claim

if TYPE_CHECKING:
    import psycopg

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
