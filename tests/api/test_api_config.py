"""Configuration: what is accepted, and that a refusal never shows the token."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backmarket.api.config import ClientConfig
from backmarket.api.markets import MARKETS, PLATFORM_HOSTS

GOOD = {
    "base_url": "https://www.backmarket.fr",
    "token": "c2VjcmV0LXRva2Vu",
    "user_agent": "BM-Ebay-Invoices;contact@ebay.com",
}


def config(**changes: Any) -> ClientConfig:
    """Build a good configuration with changes."""
    return ClientConfig(**{**GOOD, **changes})


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://www.backmarket.fr/", "https://www.backmarket.fr"),
        ("https://WWW.Backmarket.FR", "https://www.backmarket.fr"),
        ("https://preprod.backmarket.fr", "https://preprod.backmarket.fr"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
    ],
)
def test_addresses_accepted(base_url: str, expected: str) -> None:
    """Platforms over https; this machine over anything."""
    assert config(base_url=base_url).base_url == expected


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "www.backmarket.fr",
        "ftp://www.backmarket.fr",
        "http://www.backmarket.fr",
        "http://192.168.1.5:8080",
        "http://127.0.0.1.example.com",
        "https://www.backmarket.fr.example.com",
        "https://example.com",
        "https://www.backmarket.fr/ws",
        "https://www.backmarket.fr?x=1",
        "https://www.backmarket.fr#x",
        "https://user:pw@www.backmarket.fr",
        "https://user@127.0.0.1",
    ],
)
def test_addresses_refused(base_url: str) -> None:
    """The token goes to Back Market or stays on this machine, and never unencrypted over a network."""
    with pytest.raises(ValidationError, match="base_url"):
        config(base_url=base_url)


@pytest.mark.parametrize("pasted", ["abc", "  abc\n", "Basic abc", "basic  abc", "BASIC\tabc"])
def test_a_pasted_basic_is_not_doubled(pasted: str) -> None:
    """People copy the whole header."""
    assert config(token=pasted).token.get_secret_value() == "abc"


@pytest.mark.parametrize("token", ["", "   ", "Basic ", "hidden word", "hidden\r\nX-Injected: 1", "hiddén"])
def test_a_broken_token_is_refused_unseen(token: str) -> None:
    """The reason never repeats what was pasted."""
    with pytest.raises(ValidationError, match="token") as caught:
        config(token=token)
    assert "hidd" not in str(caught.value)


def test_the_token_is_never_shown() -> None:
    """Neither the object's text nor a refusal of another field shows it."""
    good = config()
    assert GOOD["token"] not in f"{good} {good!r} {good.model_dump()}"
    with pytest.raises(ValidationError) as caught:
        config(market="xx-xx")
    assert GOOD["token"] not in str(caught.value)


@pytest.mark.parametrize(
    "user_agent",
    [
        "BM-Ebay-Invoices;contact@ebay.com",
        "BM-bouygues-automations;contact@bouygues.fr",
        "BM-Acme & Sons-Airflow-2.1; me@acme.fr",
    ],
)
def test_user_agents_accepted(user_agent: str) -> None:
    """Two of the spec's own examples, and what people make of them."""
    assert config(user_agent=user_agent).user_agent == user_agent


@pytest.mark.parametrize(
    "user_agent", ["", "python-httpx", "BM-Acme", "BM-Acme-X", "BM-Acme-X;", "BM-Ac\nme-X;a@b.c", "BM-Açme-X;a@b.c"]
)
def test_user_agents_refused(user_agent: str) -> None:
    """Without company, integration and mail the firewall may refuse; and no header is smuggled in."""
    with pytest.raises(ValidationError, match="user_agent"):
        config(user_agent=user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        "BM-YourCompany-Airflow;ops@acme.fr",
        "BM-Your Company-Airflow;ops@acme.fr",
        "BM-{Company}-{Integration};ops@acme.fr",
        "BM-CompanyName-IntegrationName;company@companydomain.com.",
        "BM-Acme-Airflow;you@example.com",
        "BM-Acme-Airflow;you@mail.example.org",
        "BM-Acme-Airflow;you@yourcompany.com",
    ],
)
def test_the_user_agent_of_an_example_is_refused(user_agent: str) -> None:
    """Copied from the documentation: Back Market could neither tell who calls nor write to them."""
    with pytest.raises(ValidationError, match=r"user_agent\n.*names the (company|e-mail address) of an example"):
        config(user_agent=user_agent)


def test_a_sandbox_needs_no_address_that_is_read() -> None:
    """On this machine any will do; the company is asked for there, too, so that it is right when the host changes."""
    config(base_url="http://127.0.0.1:8901", user_agent="BM-Acme-Airflow;ops@example.com")
    with pytest.raises(ValidationError, match="names the company of an example"):
        config(base_url="http://127.0.0.1:8901", user_agent="BM-YourCompany-Airflow;ops@acme.fr")


@pytest.mark.parametrize("host", PLATFORM_HOSTS)
def test_markets_belong_to_platforms(host: str) -> None:
    """Each host takes its own platform's markets and no others."""
    platform = PLATFORM_HOSTS[host]
    for market in MARKETS.values():
        if market.platform == platform:
            assert config(base_url=f"https://{host}", market=market.code).platform == platform
        else:
            with pytest.raises(ValidationError, match="is not one of platform"):
                config(base_url=f"https://{host}", market=market.code)


@pytest.mark.parametrize("ending", "de es it nl be at pt ie fi gr sk se co.uk".split())
def test_the_sites_of_other_countries_belong_to_their_platform(ending: str) -> None:
    """Sellers use the address they know; it is one platform, and so one account."""
    found = config(base_url=f"https://www.backmarket.{ending}", market="de-de")
    assert (found.platform, found.account_host) == ("EU", "www.backmarket.fr")
    assert found.base_url == f"https://www.backmarket.{ending}"
    assert config(base_url=f"https://preprod.backmarket.{ending}").account_host == "preprod.backmarket.fr"


def test_an_address_without_www_is_understood() -> None:
    """People leave it out; the site would only redirect, which no token may follow."""
    assert config(base_url="https://backmarket.fr").base_url == "https://www.backmarket.fr"
    assert config(base_url="https://backmarket.com.au", market="en-au").platform == "AP"


@pytest.mark.parametrize(
    "host", ["www.backmarket.ru", "backmarket.fr.example.com", "www.backmarket.fr.evil.de", "evil.de"]
)
def test_no_other_host_gets_the_token(host: str) -> None:
    """However much it looks like Back Market's."""
    with pytest.raises(ValidationError, match="is not an address of Back Market's"):
        config(base_url=f"https://{host}")


@pytest.mark.parametrize("market", MARKETS.values(), ids=str)
def test_a_sandbox_takes_any_market(market: Any) -> None:
    """On this machine the market says which platform is meant."""
    assert config(base_url="http://127.0.0.1:1", market=market.code).platform == market.platform


def test_the_table_of_markets_is_whole() -> None:
    """All 16 markets of the spec; yen have no decimals."""
    assert len(MARKETS) == 16
    assert (MARKETS["ja-jp"].currency, MARKETS["ja-jp"].decimals) == ("JPY", 0)
    assert (MARKETS["en-gb"].currency, MARKETS["en-gb"].decimals) == ("GBP", 2)
