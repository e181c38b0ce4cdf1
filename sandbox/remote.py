"""The handle that tests, demos and benchmarks hold to a running sandbox: its control API as methods."""

import json
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

Json = dict[str, Any]


class ControlError(RuntimeError):
    """The control API refused; the text says why."""


@dataclass(frozen=True)
class Sandbox:
    """One running sandbox: where it is, its token, and everything a test does to it."""

    base_url: str
    token: str = "sandbox-token"  # noqa: S105 - a sandbox has no secret

    @property
    def headers(self) -> dict[str, str]:
        """Headers with which the seller's endpoints let a request in."""
        return {
            "Authorization": f"Basic {self.token}",
            "User-Agent": "BM-Example-Sandbox;owner@example.com",
            "Accept": "application/json",
            "Accept-Language": "fr-fr",
        }

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API below /_sandbox/."""
        connection = HTTPConnection(urlsplit(self.base_url).netloc, timeout=60)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/_sandbox/{path}", payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(f"{method} {path}: {response.status} {answer.decode('utf-8', 'replace')}")
        return json.loads(answer)

    def fault(self, kind: str, **options: Any) -> Json:
        """Switch a fault on, once unless `times` says otherwise."""
        fault: Json = self.call("POST", "faults", {"kind": kind, **options})
        return fault

    def remove_fault(self, fault_id: int) -> None:
        """Switch one fault off, by the `id` it was given."""
        self.call("DELETE", f"faults/{fault_id}")

    def faults(self) -> list[Json]:
        """List the faults that are on, with how often each struck."""
        faults: list[Json] = self.call("GET", "faults")
        return faults

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.call("DELETE", "faults")

    def forget_sku_lines(self) -> None:
        """Let the hour be over that SKU lines are counted in."""
        self.call("DELETE", "sku-lines")

    def forget_traffic(self) -> None:
        """Let the seconds be over that requests are counted in."""
        self.call("DELETE", "traffic")

    def journal(self, method: str | None = None, path_prefix: str = "/ws/") -> list[Json]:
        """List the requests that came, oldest first."""
        entries: list[Json] = self.call("GET", "journal")
        return [e for e in entries if e["path"].startswith(path_prefix) and method in (None, e["method"])]

    def take_journal(self) -> list[Json]:
        """List the requests that are over, oldest first, and forget them: whoever takes often misses none."""
        entries: list[Json] = self.call("POST", "journal/take")
        return entries

    def clear_journal(self) -> None:
        """Forget all requests so far."""
        self.call("DELETE", "journal")

    def orders(self) -> list[Json]:
        """List every order there is, hidden ones too, oldest first."""
        orders: list[Json] = self.call("GET", "orders")
        return orders

    def order(self, order_id: int) -> Json:
        """Give the true document of one order."""
        order: Json = self.call("GET", f"orders/{order_id}")
        return order

    def create_order(self, **wish: Any) -> Json:
        """Let a customer order now; see `sandbox.marketplace.Wish` for what can be asked."""
        order: Json = self.call("POST", "orders", wish)["orders"][0]
        return order

    def patch_order(self, order_id: int, **fields: Any) -> Json:
        """Set fields of an order as they are given, or `raw`, a text served in its place."""
        order: Json = self.call("POST", f"orders/{order_id}", fields)
        return order

    def advance_order(self, order_id: int, to: str) -> Json:
        """Have it paid (`pay`), left `unpaid`, taken off hold (`release`) or delivered (`confirm`)."""
        order: Json = self.call("POST", f"orders/{order_id}/advance", {"to": to})
        return order

    def listings(self) -> list[Json]:
        """List every listing with its offers and publication states per market."""
        listings: list[Json] = self.call("GET", "listings")
        return listings

    def patch_listing(self, key: str | int, **fields: Any) -> Json:
        """Set fields of a listing, found by id, integer or SKU; `offers` holds fields per market."""
        listing: Json = self.call("POST", f"listings/{key}", fields)
        return listing

    def competitors(self, listing: str | int) -> dict[str, list[Json]]:
        """Give a listing's competitors by market; the listing is found by id, integer or SKU.

        A market is missing where the listing takes part in no BackBox, and has an empty list where it stands alone.
        """
        competitors: dict[str, list[Json]] = self.call("GET", f"competitors?listing={quote(str(listing), safe='')}")
        return competitors

    def set_competitors(self, listing: str | int, market: str, *competitors: Json) -> None:
        """Put others in the place of a listing's competitors in one market; with none it stands alone there.

        Each has a `habit` (undercutter, follower, sleeper, crasher) and a `price`, and may have a `floor`, below which
        it never goes, a `usual` price, above which it never goes (default: the price), and a `step`, by which an
        undercutter goes below the best. All amounts are in the market's currency.
        """
        self.call("POST", "competitors", {"listing": listing, "market": market, "competitors": competitors})

    def remove_competitors(self, listing: str | int, market: str | None = None) -> None:
        """Let a listing take part in no BackBox, of one market or of any."""
        self.call("DELETE", "competitors", {"listing": listing, "market": market})

    def care_folders(self) -> list[Json]:
        """List every care folder with its messages, labels, problems and item transfers, lowest id first."""
        folders: list[Json] = self.call("GET", "care-folders")
        return folders

    def open_care_folder(self, orderline_id: int, message: str = "It does not work.", **wish: Any) -> Json:
        """Let a customer complain now.

        `return_label` adds a label of that state (ALIVE, USED, EXPIRED), `old` gives an id below 100,000,000; `issue`
        and `resolution_choice` are the claim's.
        """
        body = {"orderline_id": orderline_id, "message": message, **wish}
        folder: Json = self.call("POST", "care-folders", body)
        return folder

    def add_care_message(self, folder_id: int, message: str, *, informative: bool = False) -> Json:
        """Let the customer write, or Back Market where it is informative."""
        body = {"message": message, "informative": informative}
        folder: Json = self.call("POST", f"care-folders/{folder_id}/messages", body)
        return folder

    def close_care_folder(self, folder_id: int) -> Json:
        """Close a folder."""
        folder: Json = self.call("POST", f"care-folders/{folder_id}/close")
        return folder

    def merchant_messages(self) -> list[Json]:
        """List what the seller wrote into folders, oldest first."""
        messages: list[Json] = self.call("GET", "messages")
        return messages

    def returns(self) -> list[Json]:
        """List every return; moments are microseconds."""
        returns: list[Json] = self.call("GET", "returns")
        return returns

    def create_return(
        self,
        orderline_id: int,
        *,
        created: datetime | None = None,
        picked_up: datetime | None = None,
        delivered: datetime | None = None,
    ) -> Json:
        """Let a customer send an item back, now unless told otherwise, whatever the order was shipped with."""
        moments = _written(created=created, picked_up=picked_up, delivered=delivered)
        parcel: Json = self.call("POST", "returns", {"orderline_id": orderline_id, **moments})
        return parcel

    def move_return(
        self, return_id: int, *, picked_up: datetime | None = None, delivered: datetime | None = None
    ) -> Json:
        """Have a return picked up, or delivered, at a moment."""
        parcel: Json = self.call("POST", f"returns/{return_id}", _written(picked_up=picked_up, delivered=delivered))
        return parcel

    def refunds(self) -> list[Json]:
        """List every refund that was applied, oldest first: the server's own record."""
        refunds: list[Json] = self.call("GET", "refunds")
        return refunds

    def invoices(self) -> list[Json]:
        """List every invoice file that came, oldest first."""
        invoices: list[Json] = self.call("GET", "invoices")
        return invoices

    def make_unavailable(self, path: str = "/ws/sav", status: int = 404, *, exactly: bool = False) -> Json:
        """Answer 404 or 403 to everything below a path, or to the path alone, until the fault is removed."""
        return self.fault(str(status), path_prefix=path, exactly=exactly, times=None)

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's clock."""
        self.call("POST", "clock", {"advance_seconds": seconds})

    def write_statements(
        self, out: Path, *, planted: bool = False, planted_after_sales: bool = False, week_under_way: bool = False
    ) -> list[str]:
        """Write settlement files of the orders as they are now; `OUT.planted.json` lists planted differences.

        Those of refunds and returns are planted apart; one of them lets a return happen. Statements of completed weeks
        are issued, and of the `week_under_way`, early, if so asked.
        """
        planting = {"planted": planted, "planted_after_sales": planted_after_sales}
        body = {"out": str(out), "week_under_way": week_under_way, **planting}
        files: list[str] = self.call("POST", "statements", body)["files"]
        return files

    def reset(self) -> None:
        """Go back to the seeded start."""
        self.call("POST", "reset")


def _written(**moments: datetime | None) -> dict[str, str]:
    return {name: moment.isoformat() for name, moment in moments.items() if moment is not None}
