"""The writes that reached the sandbox, read from its journal."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaos.evidence import Json

ACCEPTED, SHIPPED = 2, 3
LEFT_AT = "x-left-at"
"""The header by which a request tells when it got its place at the rate limit: microseconds since 1970, our clock."""


@dataclass(frozen=True)
class Write:
    """One thing that one request wanted to change.

    :param kind: accept, ship, identify, quantity, price or line (of a batch).
    :param subject: an order with a SKU, an order, an order line, a listing, a listing with a market, a SKU.
    :param value: what it was to become.
    :param applied_at: when it took effect, in microseconds; None where it did not.
    """

    kind: str
    subject: tuple[Any, ...]
    value: Any
    at: int
    applied_at: int | None
    run: str


def writes_in(journal: Iterable[Json]) -> Iterator[Write]:
    """Give every write, oldest first; one request may be several."""
    for entry in journal:
        if entry["method"] == "GET" or not isinstance(entry["body"], dict):
            continue
        applied_at = entry["applied_at"] if entry["applied"] else None
        for kind, subject, value in _contents(entry):
            yield Write(kind, subject, value, entry["at"], applied_at, run_of(entry))


def run_of(entry: Json) -> str:
    """Tell which run sent a request: its user agent does."""
    agent: str = entry["headers"].get("user-agent", "")
    return agent.partition(";")[2].strip().partition("@")[0]


def _contents(entry: Json) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    body, folder, key = entry["body"], *_folder_and_key(entry["path"])
    if folder == "orders" and key:
        yield from _of_order(int(key), body)
    elif folder == "orderlines" and key:
        yield "identify", (int(key),), body.get("imei") or body.get("serial_number")
    elif folder == "listings" and key:
        if "quantity" in body:
            yield "quantity", (key,), int(body["quantity"])
        if "price" in body:
            yield "price", (key, entry["headers"].get("accept-language", "").lower()), str(body["price"])
    elif folder == "listings":
        rows = csv.DictReader(io.StringIO(str(body.get("catalog", ""))), delimiter=str(body.get("delimiter") or ","))
        for row in rows:
            yield "line", (str(row.get("sku", "")).lower(),), tuple(sorted(row.items()))


def _of_order(order_id: int, body: Json) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if body.get("new_state") == ACCEPTED:
        yield "accept", (order_id, body.get("sku")), ACCEPTED
    if body.get("new_state") == SHIPPED:
        yield "ship", (order_id,), body.get("tracking_number")
        if identifier := body.get("imei") or body.get("serial_number"):
            # An order with one line: only those take an identifier with the shipment.
            yield "identify", (order_id * 10 + 1,), identifier


def _folder_and_key(path: str) -> tuple[str, str]:
    parts = path.split("/")[2:]
    return (parts[0], parts[1]) if len(parts) > 1 else (parts[0], "")
