"""Faults that a test switches on: what to break, for which requests, how often."""

from dataclasses import asdict, dataclass, field
from itertools import count
from random import Random
from typing import Any

from starlette.requests import Request

from sandbox.orders.model import LINES_PER_ORDER

INSTEAD_OF_ANSWER = frozenset(
    {
        "429_html", "429_retry_after", "503_cf_ray", "500", "502_html", "firewall_403", "bot_challenge_403",
        "ignored_200", "html_200", "html_201", "redirect", "401", "403", "404", "reset_before",
    }
)  # fmt: skip
"""These answer in Back Market's place; nothing is applied unless the fault says `"applied": true`.

With `"applied_late": true` the request takes effect only so many `seconds` after the answer.
"""

ON_TOP_OF_ANSWER = frozenset({"cut_json", "reset_after", "slow", "empty_body", "short_page", "404_last_page"})
"""These let the request take effect and then spoil the answer."""

ON_THE_WAY = frozenset({"late"})
"""These hold a request up before it takes effect; whatever else is on strikes it then."""

IN_DOCUMENTS = frozenset({"odd_document"})
"""These change how one order, listing or care folder reads, in every answer that shows it.

A listing is shown among competitors too: there a document is of the `market` that it names.
"""

INSIDE = frozenset(
    {
        "orders_arrive_while_paging",
        "wrong_date_format",
        "batch_fails",
        "batch_line_fails",
        "batch_refused",
        "field_refused",
    }
)
"""These are carried out by the endpoints they concern."""

KINDS = INSTEAD_OF_ANSWER | ON_TOP_OF_ANSWER | ON_THE_WAY | IN_DOCUMENTS | INSIDE

WRITE = "WRITE"
"""Stands for every method that changes something."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})

COMPETITORS = "/ws/backbox/v1/competitors/"
"""What is below it tells of a listing's competitors."""


@dataclass(slots=True)
class Fault:
    """One switched-on fault; `orders`, `rows`, `seconds`, `retry_after`, `sku`, `fields` and `without` matter to some.

    It skips the first `after` requests that match, then fires with `probability`, `times` times (None: for ever).
    With `times` None it is a poison when it is for one `order_id` (with its lines, and nothing of an order whose id
    is longer), one `listing` (the UUID, or whatever key the URL holds), one `care_folder` or one `market` (as in
    Accept-Language). `method` may be WRITE; `exactly` spares what is below the path. An `odd_document` is served with
    `fields` set and the fields `without` left out; a `batch_refused` refuses batches that hold `sku`, a
    `field_refused` changes of a listing that hold one of `fields`.
    """

    kind: str
    method: str | None = None
    path_prefix: str = "/ws/"
    exactly: bool = False
    times: int | None = 1
    probability: float = 1.0
    after: int = 0
    applied: bool = False
    applied_late: bool = False
    orders: int = 1
    rows: int | None = None
    seconds: float = 5.0
    retry_after: int = 2
    sku: str = ""
    order_id: int | None = None
    listing: str | None = None
    care_folder: int | None = None
    market: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    id: int = 0
    fired: int = 0
    seen: int = 0

    def matches(self, request: "Seen") -> bool:
        """Tell whether a request is one of those this fault is for."""
        return (
            self.suits(request)
            and self.order_id in (None, request.order_id)
            and self.listing in (None, request.listing)
            and self.care_folder in (None, request.care_folder)
        )

    def suits(self, request: "Seen") -> bool:
        """Tell the same of all but what the request is about."""
        return self._suits_in_any_market(request) and self.market in (None, request.market)

    def _suits_in_any_market(self, request: "Seen") -> bool:
        of_method = self.method in (None, request.method) or (self.method == WRITE and request.method not in READS)
        of_path = request.path == self.path_prefix if self.exactly else request.path.startswith(self.path_prefix)
        return of_method and of_path

    def may_show_in(self, request: "Seen") -> bool:
        """Tell whether the answer to a request may show the document that this fault changes.

        An answer about competitors is of all markets at once.
        """
        of_market = request.path.startswith(COMPETITORS) or self.market in (None, request.market)
        return of_market and request.path.startswith(self.shown_below) and self._suits_in_any_market(request)

    def shows_in(self, document: dict[str, Any]) -> bool:
        """Tell whether an order, a listing or a care folder is the one whose document this fault changes."""
        if self.order_id is not None:
            return document.get("order_id") == self.order_id
        if self.care_folder is not None:
            return document.get("id") == self.care_folder
        if self.listing is None:
            return False
        if document.get("id") == self.listing:
            return True
        return document.get("listing_id") == self.listing and self._competes_in(document)

    def _competes_in(self, competitor: dict[str, Any]) -> bool:
        """Tell whether a competitor, whose market is named by its country, is of this fault's market."""
        return self.market is None or self.market.endswith(f"-{competitor.get('market')}".lower())

    @property
    def shown_below(self) -> tuple[str, ...]:
        """The paths below which the document that this fault changes is shown."""
        if self.order_id is not None:
            return ("/ws/orders",)
        return ("/ws/listings", COMPETITORS) if self.care_folder is None else ("/ws/sav",)

    def fires(self, rng: Random) -> bool:
        """Count a matching request and decide whether the fault strikes."""
        self.seen += 1
        exhausted = self.times is not None and self.fired >= self.times
        if self.seen <= self.after or exhausted or rng.random() >= self.probability:
            return False
        self.fired += 1
        return True


@dataclass(frozen=True, slots=True)
class Seen:
    """What faults see of a request; `market` is its Accept-Language."""

    method: str
    path: str
    market: str = ""

    @property
    def order_id(self) -> int | None:
        """The order it is about, or whose line it is about."""
        folder, key = self._folder_and_key()
        if not key.isdecimal() or folder not in {"orders", "orderlines"}:
            return None
        return int(key) if folder == "orders" else int(key) // LINES_PER_ORDER

    @property
    def listing(self) -> str | None:
        """The listing it is about, by the key in the URL."""
        folder, key = self._folder_and_key()
        return key.lower() if key and folder in {"listings", "backbox"} else None

    @property
    def care_folder(self) -> int | None:
        """The care folder it is about."""
        folder, key = self._folder_and_key()
        return int(key) if folder == "sav" and key.isdecimal() else None

    def _folder_and_key(self) -> tuple[str, str]:
        """Split `/ws/FOLDER/KEY/…`; of competitors (`/ws/backbox/v1/competitors/KEY`) the key is the last part."""
        parts = self.path.split("/")[2:]
        if len(parts) < 2:
            return "", ""
        return parts[0], parts[-1] if parts[0] == "backbox" else parts[1]


def seen(request: Request) -> Seen:
    """Give what faults see of a request that an endpoint serves."""
    market = request.headers.get("accept-language", "").strip().lower()
    return Seen(request.method, request.url.path, market)


class Faults:
    """The faults that are on, in the order in which they were switched on."""

    def __init__(self, rng: Random) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)
        self._rng = rng

    def add(self, fields: dict[str, Any]) -> Fault:
        """Switch a fault on; raises ValueError or TypeError where the request makes no sense."""
        fault = Fault(**fields)
        if fault.kind not in KINDS:
            raise ValueError(f"kind {fault.kind!r} is none of {', '.join(sorted(KINDS))}")
        if fault.method is not None:
            fault.method = fault.method.upper()
        if fault.applied_late and not fault.applied:
            raise ValueError("applied_late needs applied")
        if fault.kind in IN_DOCUMENTS and (fault.order_id, fault.listing, fault.care_folder) == (None, None, None):
            raise ValueError(f"{fault.kind} needs an order_id or a listing or a care_folder")
        if fault.kind == "batch_refused" and not fault.sku:
            raise ValueError("batch_refused needs a sku")
        if fault.listing is not None:
            fault.listing = fault.listing.lower()
        if fault.market is not None:
            fault.market = fault.market.lower()
        fault.id = next(self._ids)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all off."""
        self._faults.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Give all of them with their counts for the control API."""
        return [asdict(fault) for fault in self._faults]

    def remove(self, fault_id: int) -> None:
        """Switch one off; raises KeyError where there is none of this id."""
        if fault_id not in {fault.id for fault in self._faults}:
            raise KeyError(fault_id)
        self._faults = [fault for fault in self._faults if fault.id != fault_id]

    def strike(self, kinds: frozenset[str], request: Seen) -> Fault | None:
        """Give the first fault among `kinds` that strikes this request."""
        for fault in self._faults:
            if fault.kind in kinds and fault.matches(request) and fault.fires(self._rng):
                return fault
        return None

    def in_documents(self, request: Seen) -> list[Fault]:
        """Give the faults that may change a document in the answer to this request: a list shows it as well."""
        return [fault for fault in self._faults if fault.kind in IN_DOCUMENTS and fault.may_show_in(request)]

    def alter(self, document: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
        """Give a document as `faults` have it read."""
        for fault in faults:
            if fault.shows_in(document) and fault.fires(self._rng):
                document = {**document, **fault.fields}
                document = {name: value for name, value in document.items() if name not in fault.without}
        return document

    def strike_inside(self, kind: str, request: Request) -> Fault | None:
        """Give a fault of one of the kinds that endpoints carry out themselves."""
        return self.strike(frozenset({kind}), seen(request))

    def strike_fields(self, kind: str, request: Request, fields: set[str]) -> Fault | None:
        """Give a fault that strikes changes of some fields, if this is one."""
        about = seen(request)
        for fault in self._faults:
            if fault.kind == kind and fields & set(fault.fields) and fault.matches(about) and fault.fires(self._rng):
                return fault
        return None

    def strike_batch(self, kind: str, request: Request, skus: set[str]) -> Fault | None:
        """Give a fault that strikes batches of a SKU, if this batch is one; the case of SKUs does not matter."""
        about = seen(request)
        for fault in self._faults:
            of_sku = fault.kind == kind and fault.sku.lower() in skus
            if of_sku and fault.matches(about) and fault.fires(self._rng):
                return fault
        return None
