"""Where Back Market's own Back Office shows an order and a listing, and where its documents are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from backmarket.api.markets import PLATFORM_HOSTS, is_loopback, own_host

if TYPE_CHECKING:
    from backmarket.warehouse.snapshot import Reader


@dataclass(frozen=True)
class BackOffice:
    """The Back Office of one platform.

    The API's specification names ``/bo-seller`` on each platform's host, preprod too. The two pages below it are those
    that sellers' own tools open on the EU platform.

    :param host: as the account's connection names it; any that is not Back Market's has no Back Office.
    """

    host: str

    def order(self, order_id: object) -> str:
        """Return where an order is; empty where there is no Back Office."""
        return self._page("orders/all", "orderId", str(order_id))

    def listing(self, sku: str) -> str:
        """Return where the active listings of a SKU are; empty where there is no Back Office."""
        return self._page("listings/active", "sku", sku)

    def of(self, story: str, subject: str) -> str:
        """Return where the thing that a story is about is; empty where there is none."""
        if story == "order" and subject.isdigit():
            return self.order(subject)
        return self.listing(subject) if story == "sku" else ""

    def document(self, url: str | None) -> str:
        """Return where a document is that Back Market names, such as a label; empty for what is no web address.

        :param url: as Back Market sent it; without a host it is one of the account's.
        """
        scheme = "http" if is_loopback(self.host.partition(":")[0]) else "https"
        try:
            whole = urljoin(f"{scheme}://{own_host(self.host)}" if self.host else "", url or "")
            return whole if url and urlsplit(whole).scheme in {"http", "https"} else ""
        except ValueError:
            return ""

    def _page(self, path: str, field: str, value: str) -> str:
        if self.host not in PLATFORM_HOSTS:
            return ""
        return f"https://{own_host(self.host)}/bo-seller/{path}?{field}={quote(value, safe='')}"


def back_office(database: Reader) -> BackOffice:
    """Return the Back Office of the account that is read; none before its first run."""
    hosts = (row["host"] for row in database.rows("select_accounts") if row["chosen"])
    return BackOffice(next(hosts, ""))
