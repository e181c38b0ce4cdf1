"""What a client needs to know: checked once, frozen afterwards."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from backmarket.api.markets import MARKETS, PLATFORM_HOSTS, Platform, is_loopback, own_host

_USER_AGENT = re.compile(r"BM-([^;]+)-[^;]+;\s*[^\s;@]+@([^\s;@]+)")
# What stands where a seller's own company belongs: in our documentation, in Back Market's and in what people copy.
_EXAMPLE_NAMES = {
    "mycompany",
    "yourcompany",
    "companyname",
    "yourcompanyname",
    "companydomain",
    "yourdomain",
}
# RFC 2606 keeps these for documentation: nobody reads mail there.
_EXAMPLE_DOMAIN = re.compile(r"(.+\.)?(example(\.(com|net|org))?|invalid|test)")


class ClientConfig(BaseModel):
    """Where the seller API is, who asks, and how patiently.

    :param base_url: scheme and host of the platform, such as ``https://www.backmarket.fr``.
    :param token: as created in the Back Office; a pasted ``Basic`` in front of it is dropped.
    :param market: the market that reads answer for where none is named.
    :param user_agent: ``BM-{Company}-{Integration};{email}``, which the firewall insists on; no example's.
    :param connect_timeout: for opening a connection.
    :param read_timeout: for each wait for the server while it answers.
    :param concurrency: most requests of one client at the same time.
    :param attempts: most tries of one request.
    :param retry_for: no further try begins later than this after the first.
    :param backoff: the wait after the first failure; it doubles from try to try.
    :param backoff_limit: the longest wait that no server asked for.
    :param throttle_pause: the wait after a 429 that names none, and after a refusal by the firewall.
    :raises pydantic.ValidationError: names the field and what is accepted, never the token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str
    token: SecretStr
    user_agent: str
    market: str = "fr-fr"
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=60)
    concurrency: int = Field(default=8, ge=1, le=64)
    attempts: int = Field(default=5, ge=1)
    retry_for: timedelta = timedelta(minutes=2)
    backoff: timedelta = timedelta(seconds=0.5)
    backoff_limit: timedelta = timedelta(seconds=20)
    throttle_pause: timedelta = timedelta(seconds=10)

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, text: str) -> str:
        url = urlsplit(text.strip())
        host = url.hostname or ""
        if url.scheme not in {"http", "https"} or not host or url.path not in {"", "/"}:
            raise ValueError("must be a scheme and a host without a path, such as https://www.backmarket.fr")
        if url.query or url.fragment or url.username is not None:
            raise ValueError("must not carry a user, a query or a fragment")
        if not is_loopback(host):
            if url.scheme == "http":
                raise ValueError("must use https: plain http would show the token to the network")
            if host not in PLATFORM_HOSTS and f"www.{host}" in PLATFORM_HOSTS:
                return f"https://www.{host}"
            if host not in PLATFORM_HOSTS:
                known = ", ".join(dict.fromkeys(own_host(host) for host in PLATFORM_HOSTS))
                raise ValueError(f"is not an address of Back Market's; known are {known}, and those of other countries")
        return f"{url.scheme}://{url.netloc.lower()}"

    @field_validator("token", mode="before")
    @classmethod
    def _check_token(cls, value: object) -> str:
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        token = re.sub(r"^basic(\s+|$)", "", text.strip(), flags=re.IGNORECASE)
        if not re.fullmatch(r"[!-~]+", token):
            raise ValueError("must be one word of printable ASCII characters, as the Back Office shows it")
        return token

    @field_validator("user_agent")
    @classmethod
    def _check_user_agent(cls, text: str, others: ValidationInfo) -> str:
        read = _USER_AGENT.fullmatch(text.strip())
        if not read or not text.isascii() or not text.isprintable():
            raise ValueError("must read BM-{Company}-{Integration};{email}, in ASCII")
        company, domain = (part.lower().strip(" .") for part in read.groups())
        if any(_is_example(part) for part in company.split("-")):
            raise ValueError("names the company of an example: put your own there, as in BM-Acme-Airflow;ops@acme.fr")
        # A sandbox writes no mail.
        if not is_loopback(urlsplit(others.data.get("base_url", "")).hostname or "") and (
            _EXAMPLE_DOMAIN.fullmatch(domain) or any(_is_example(part) for part in domain.split("."))
        ):
            raise ValueError("names the e-mail address of an example: put one there at which Back Market reaches you")
        return text.strip()

    @model_validator(mode="after")
    def _check_market(self) -> Self:
        if self.market not in MARKETS:
            raise ValueError(f"market {self.market!r} is unknown; known are {', '.join(MARKETS)}")
        self.require_market(self.market)
        return self

    @property
    def platform(self) -> Platform:
        """The platform that the host serves; a sandbox on this machine serves the market's."""
        host = urlsplit(self.base_url).hostname or ""
        return PLATFORM_HOSTS.get(host) or MARKETS[self.market].platform

    @property
    def account_host(self) -> str:
        """The address by which the account's platform is known, whichever country's the connection names."""
        url = urlsplit(self.base_url)
        return own_host(url.hostname or "") if url.hostname in PLATFORM_HOSTS else url.netloc

    def require_market(self, market: str) -> None:
        """Check that a market is one of this platform's.

        :raises ValueError: naming the markets that are.
        """
        if market not in MARKETS or MARKETS[market].platform != self.platform:
            known = [each.code for each in MARKETS.values() if each.platform == self.platform]
            raise ValueError(f"market {market!r} is not one of platform {self.platform}: {', '.join(known)}")


def _is_example(name: str) -> bool:
    """Tell whether a name is what an example has in place of a seller's: ``YourCompany``, ``{Company}``."""
    return "{" in name or re.sub(r"[^a-z]", "", name) in _EXAMPLE_NAMES
