"""The comparison at the end. What counts as a loss, by kind:

- ``order lost``: Back Market lists an order, or has a line of it, that the database does not have.
- ``order doubled``: the database has an order or a line that Back Market does not have.
- ``order differs``: state, tracking, a line's state, units, price or identifier are not those of Back Market.
- ``listing differs``: the same for listings and offers of the markets that are read.
- ``statement rows differ``: the database has more or fewer statement rows, or another sum, than the files.
- ``file row lost``: a row of the seller's files is not in its table, or more than once.
- ``change applied twice``: an accept of the same lines, a shipment or an identifier was sent again after it had taken
  effect (a second shipment is one only if no line was accepted in between); a quantity or a price was set again to the
  same value, with nothing in between, more often than the ledger has changes of that value; a refund was applied again.
- ``change not in the ledger``: more writes took effect than attempts were written down before.
- ``change not true``: the ledger calls a change confirmed that Back Market does not show and never showed.
- ``change left open``: a change is still sent or unknown after quiet days, but for a part of a price that was paid back
  and whose answer was lost, or whose run was killed: nothing at Back Market shows that.
- ``work left undone``: what could be done was not: a line with stock not accepted, a parcel not told, a device not
  registered, an article not listed, a price not set, a refund or an invoice not sent.
- ``price out of bounds``: a price that follows the competition went below its floor or above its ceiling.
- ``IMEI changed``: a line's identifier is another than before, or was sent as another than the seller's books say.
- ``units oversold``: more units were sold than there are, beyond the sales that nobody could see: those between reading
  and writing, orders that Back Market hid when their listing was read for the first time, and raises that were sold out
  before anybody knew that they had taken effect.
- ``too many units shown``: after quiet days a listing offers more than is free.
- ``refund wrong``, ``invoice wrong``, ``message lost``, ``return lost``: see :mod:`chaos.judge_after_sales`.
- ``limit broken``: a request was turned away although no fault was on, or came above the limit; not where the sandbox
  itself had just stood still for longer than the limit's margin allows, nor where requests of that window were on their
  way for so much longer than others.
- ``secret in a log``: see :mod:`chaos.leaks`.
- ``healthy item waited``: see :mod:`chaos.poisons`.
- ``red in calm weather``: a DAG's last run failed with all faults off; ``run did not end``: one hung or broke.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chaos import judge_after_sales
from chaos.evidence import Json, Loss
from chaos.residue import residue, sales_by_sku
from chaos.seller import SERVED_LINES, WAITING_LINES
from chaos.stage import MARKETS
from chaos.writes import LEFT_AT, Write, run_of, writes_in
from sandbox.orders.model import HIDDEN_STATES, LINE_ACCEPTED, LINE_PAID, LINE_SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chaos.evidence import Evidence

KINDS = (
    "order lost",
    "order doubled",
    "order differs",
    "listing differs",
    "statement rows differ",
    "file row lost",
    "change applied twice",
    "change not in the ledger",
    "change not true",
    "change left open",
    "work left undone",
    "price out of bounds",
    "IMEI changed",
    "units oversold",
    "too many units shown",
    "limit broken",
    "refund wrong",
    "invoice wrong",
    "message lost",
    "return lost",
    "secret in a log",
    "healthy item waited",
    "red in calm weather",
    "run did not end",
)

_SECOND = 1_000_000
_BLOCKED = 10 * _SECOND
_WINDOW, _MARGIN = 10 * _SECOND, 3 * _SECOND // 10
_NO_ORDER: Json = {"tracking_number": None}
_NO_LINE: Json = {"state": LINE_PAID, "imei": "", "serial_number": ""}
_LEDGER_KINDS = {"accept": "accept", "ship": "tracking", "identify": "imei", "quantity": "quantity", "price": "price"}


def judge(evidence: Evidence) -> list[Loss]:
    """Compare everything that is compared row by row."""
    checks: tuple[Callable[[Evidence], Iterable[Loss]], ...] = (
        orders,
        listings,
        statements,
        files,
        applied_twice,
        not_in_ledger,
        not_true,
        left_open,
        undone,
        outside,
        identifiers,
        oversold,
        shown,
        limits,
        *judge_after_sales.CHECKS,
    )
    return [loss for check in checks for loss in check(evidence)]


def orders(evidence: Evidence) -> Iterator[Loss]:
    """Compare orders and their lines."""
    rows = {row["order_id"]: row for row in evidence.database.orders}
    lines = {row["orderline_id"]: row for row in evidence.database.lines}
    known_lines = {line["id"] for order in evidence.orders for line in order["orderlines"]}
    for order in evidence.orders:
        row = rows.get(order["order_id"])
        name = f"order {order['order_id']}"
        if order["state"] in HIDDEN_STATES:
            if row is not None and row["gone_at"] is None and row["state"] != order["state"]:
                yield Loss("order differs", name, f"state {row['state']} stored, hidden in {order['state']}")
            continue
        if row is None:
            yield Loss("order lost", name, "listed by Back Market, not stored")
            continue
        pairs = [("state", row["state"], order["state"])]
        pairs += [("tracking", row["tracking_number"] or "", order["tracking_number"] or "")]
        yield from _differences("order differs", name, pairs)
        for line in order["orderlines"]:
            yield from _line(lines.get(line["id"]), line)
    ids = {order["order_id"] for order in evidence.orders}
    yield from (Loss("order doubled", f"order {i}", "stored, unknown to Back Market") for i in rows if i not in ids)
    doubled = (i for i in lines if i not in known_lines)
    yield from (Loss("order doubled", f"line {i}", "stored, unknown to Back Market") for i in doubled)


def _line(row: Json | None, line: Json) -> Iterator[Loss]:
    name = f"line {line['id']}"
    if row is None:
        yield Loss("order lost", name, "a line that Back Market has is not stored")
        return
    pairs = [("state", row["state"], line["state"]), ("quantity", row["quantity"], line["quantity"])]
    pairs += [("price", row["price"], Decimal(line["price"])), ("sku", row["sku"], line["listing"])]
    pairs += [(field, row[field] or "", line[field] or "") for field in ("imei", "serial_number")]
    yield from _differences("order differs", name, pairs)


def listings(evidence: Evidence) -> Iterator[Loss]:
    """Compare listings, and offers of the markets that are read."""
    rows = {row["id"]: row for row in evidence.database.listings}
    offers = {(row["id"], row["market"]): row for row in evidence.database.offers}
    for listing in evidence.listings:
        name, row = f"listing {listing['sku']}", rows.get(listing["id"])
        if row is None or row["gone_at"] is not None:
            yield Loss("listing differs", name, "not stored, or stored as gone")
            continue
        pairs = [(field, row[field], listing[field]) for field in ("sku", "quantity", "grade")]
        yield from _differences("listing differs", name, pairs)
        for market in MARKETS:
            offer, stored = listing["offers"].get(market), offers.get((listing["id"], market))
            if offer is None or stored is None:
                continue
            pairs = [("state", stored["publication_state"], listing["publication_states"][market])]
            pairs += [("price", stored["price"] or 0, Decimal(offer["price"] or 0))]
            yield from _differences("listing differs", f"{name} in {market}", pairs)


def statements(evidence: Evidence) -> Iterator[Loss]:
    """Compare the rows of statements by currency: how many, and their sum."""
    wanted: dict[str, list[Decimal]] = defaultdict(list)
    for row in evidence.statements:
        wanted[row["currency"]].append(Decimal(row["amount"]))
    stored = {row["currency"]: (row["rows"], row["total"]) for row in evidence.database.statement_rows}
    for currency, amounts in wanted.items():
        expected = (len(amounts), sum(amounts, Decimal(0)))
        if stored.get(currency) != expected:
            yield Loss("statement rows differ", currency, f"stored {stored.get(currency)}, in the files {expected}")


def files(evidence: Evidence) -> Iterator[Loss]:
    """Look for each parcel that a file tells in the seller's table."""
    stored = Counter((row["order_id"], row["tracking_number"], row["shipper"]) for row in evidence.database.shipments)
    for parcel in evidence.books.filed:
        if stored[parcel] != 1:
            what = f"its parcel, which a file tells, is {stored[parcel]} times in seller.shipments"
            yield Loss("file row lost", f"order {parcel[0]}", what)


def _differences(kind: str, name: str, pairs: Iterable[tuple[str, Any, Any]]) -> Iterator[Loss]:
    for field, stored, true in pairs:
        if stored != true:
            yield Loss(kind, name, f"{field}: {stored!r} stored, {true!r} on Back Market")


def applied_twice(evidence: Evidence) -> Iterator[Loss]:
    """Find what was sent again although it had taken effect."""
    by_subject: dict[tuple[str, tuple[Any, ...]], list[Write]] = defaultdict(list)
    writes = list(writes_in(evidence.journal))
    accepted_at: dict[int, list[int]] = defaultdict(list)
    for write in writes:
        by_subject[write.kind, write.subject].append(write)
        if write.kind == "accept" and write.applied_at is not None:
            accepted_at[write.subject[0]].append(write.applied_at)
    for (kind, subject), of_subject in by_subject.items():
        if kind in {"accept", "ship", "identify"}:
            for first, again in _sent_again(of_subject):
                moments = accepted_at[subject[0]] if kind == "ship" else ()
                if not any(first.at < moment < again.at for moment in moments):
                    what = f"{kind} sent by {first.run} took effect, sent again by {again.run}"
                    yield Loss("change applied twice", str(subject), what)
    yield from _set_twice(evidence, by_subject)


def _sent_again(writes: list[Write]) -> Iterator[tuple[Write, Write]]:
    """Give each write that came after one of the same value had taken effect, or took effect besides, with that one."""
    done: dict[Any, tuple[Write, int]] = {}
    for write in writes:
        first, since = done.get(write.value, (None, 0))
        if first is not None and (write.applied_at is not None or write.at > since):
            yield first, write
        if write.applied_at is not None:
            done[write.value] = write, write.applied_at


def _set_twice(evidence: Evidence, by_subject: dict[tuple[str, tuple[Any, ...]], list[Write]]) -> Iterator[Loss]:
    planned = _values_in_ledger(evidence)
    sold = sales_by_sku(evidence)
    skus = {listing["id"]: listing["sku"].lower() for listing in evidence.listings}
    for (kind, subject), writes in by_subject.items():
        if kind not in {"quantity", "price"}:
            continue
        applied = [(write, write.applied_at) for write in writes if write.applied_at is not None]
        moments = [at for at, _ in sold[skus.get(subject[0], "")]] if kind == "quantity" else []
        repeats: Counter[Any] = Counter()
        for (first, since), (again, _) in pairwise(applied):
            moved = any(since - _SECOND <= moment <= again.at for moment in moments)
            if first.value == again.value and not moved:
                repeats[again.value] += 1
        for value, times in repeats.items():
            if times >= max(1, planned[kind, subject, str(value)]):
                yield Loss("change applied twice", str(subject), f"{kind} {value} set {times + 1} times in a row")


def _values_in_ledger(evidence: Evidence) -> Counter[tuple[str, tuple[Any, ...], str]]:
    """Count the ledger's sent changes of quantities and prices by what they set."""
    values: Counter[tuple[str, tuple[Any, ...], str]] = Counter()
    for change in evidence.database.changes:
        if change["kind"] in {"quantity", "price"} and change["attempts"]:
            listing = str(change["payload"].get("id"))
            subject = (listing,) if change["kind"] == "quantity" else (listing, change["market"])
            values[change["kind"], subject, str(change["payload"].get(change["kind"]))] += 1
    return values


def not_in_ledger(evidence: Evidence) -> Iterator[Loss]:
    """Compare how often writes took effect with how often the ledger says that they were sent."""
    attempts: Counter[tuple[str, tuple[Any, ...]]] = Counter()
    skus = {listing["sku"].lower(): listing["id"] for listing in evidence.listings}
    for change in evidence.database.changes:
        kind, payload = change["kind"], change["payload"]
        if not change["attempts"] or kind in judge_after_sales.LEDGER_KINDS:
            continue
        if kind == "accept":
            subject: tuple[Any, ...] = (payload["order_id"], payload["sku"])
        elif kind in {"tracking", "imei"}:
            subject = (int(change["subject"]),)
        else:
            listing = payload.get("id") or skus.get(change["subject"].lower())
            subject = (listing, change["market"]) if kind == "price" else (listing,)
        attempts[kind, subject] += change["attempts"]
    applied: Counter[tuple[str, tuple[Any, ...]]] = Counter()
    for write in writes_in(evidence.journal):
        if write.applied_at is not None and write.kind in {"accept", "ship", "quantity", "price"}:
            applied[_LEDGER_KINDS[write.kind], write.subject] += 1
    for (kind, subject), times in applied.items():
        if times > attempts[kind, subject]:
            what = f"{kind} took effect {times} times, the ledger has {attempts[kind, subject]} attempts"
            yield Loss("change not in the ledger", str(subject), what)


def not_true(evidence: Evidence) -> Iterator[Loss]:
    """Hold confirmed changes against what Back Market shows, or once showed."""
    orders = {order["order_id"]: order for order in evidence.orders}
    lines = {line["id"]: line for order in evidence.orders for line in order["orderlines"]}
    listings = {listing["id"]: listing for listing in evidence.listings}
    by_sku = {listing["sku"].lower(): listing for listing in evidence.listings}
    written = {(w.kind, w.subject, str(w.value)) for w in writes_in(evidence.journal) if w.applied_at is not None}
    batched = {w.subject[0] for w in writes_in(evidence.journal) if w.kind == "line" and w.applied_at is not None}
    for change in evidence.database.changes:
        if change["status"] != "confirmed" or change["kind"] in judge_after_sales.LEDGER_KINDS:
            continue
        kind, payload, subject = change["kind"], change["payload"], change["subject"]
        if kind == "accept":
            true = lines.get(int(subject), _NO_LINE)["state"] not in WAITING_LINES
        elif kind == "tracking":
            true = orders.get(int(subject), _NO_ORDER)["tracking_number"] == payload["tracking_number"]
        elif kind == "imei":
            line = lines.get(int(subject), _NO_LINE)
            shown = {line["imei"], line["serial_number"]}
            true = bool(shown & set(filter(None, (payload.get("imei"), payload.get("serial_number")))))
        elif kind in {"listing", "product"}:
            true = subject.lower() in by_sku
        elif kind == "price":
            offer = listings.get(payload["id"], {"offers": {}})["offers"].get(change["market"])
            set_alone = ("price", (payload["id"], change["market"]), payload["price"]) in written
            true = set_alone or subject.lower() in batched or bool(offer and offer["price"] == payload["price"])
        else:
            # Whether by our write or because a unit was sold: what the ledger says of a listing has to be so.
            true = payload["quantity"] in listings.get(payload["id"], {"quantities_shown": ()})["quantities_shown"]
        if not true:
            yield Loss("change not true", f"{kind} {subject}", f"confirmed, but never seen: {change['reason']}")


def left_open(evidence: Evidence) -> Iterator[Loss]:
    """Find changes whose end is not known."""
    for change in evidence.database.changes:
        if change["status"] in {"sent", "unknown"} and not judge_after_sales.may_be_in_doubt(evidence, change):
            name = f"{change['kind']} {change['subject']}"
            yield Loss("change left open", name, f"{change['status']}: {change['reason']}")


def undone(evidence: Evidence) -> Iterator[Loss]:
    """Find what could have been done and was not; where stock is short, nothing is said of who should have had it."""
    wanted, free = _units_wanted(evidence), _free(evidence)
    for order in evidence.orders:
        for line in order["orderlines"]:
            sku = line["listing"].lower()
            if line["state"] == LINE_PAID and free[sku] >= wanted[sku]:
                what = f"{free[sku]} of {line['listing']} free, {wanted[sku]} wanted, not accepted"
                yield Loss("work left undone", f"line {line['id']}", what)
        states = {line["state"] for line in order["orderlines"]}
        if LINE_ACCEPTED in states and order["order_id"] in evidence.books.parcels:
            yield Loss("work left undone", f"order {order['order_id']}", "its parcel was not told")
    yield from _undone_devices(evidence)
    listed = {listing["sku"].lower(): listing for listing in evidence.listings}
    for sku in evidence.books.articles:
        if sku.lower() not in listed:
            yield Loss("work left undone", sku, "the article was not listed")
    for (sku, market), price in evidence.books.prices.items():
        offer = listed.get(sku.lower(), {}).get("offers", {}).get(market)
        if offer and (sku, market) not in evidence.books.approvable and Decimal(offer["price"] or 0) != price:
            yield Loss("work left undone", f"{sku} in {market}", f"price {offer['price']} instead of {price}")


def _undone_devices(evidence: Evidence) -> Iterator[Loss]:
    for order in evidence.orders:
        for line in order["orderlines"]:
            device = evidence.books.devices.get(line["id"])
            if device and line["state"] == LINE_SHIPPED and device not in {line["imei"], line["serial_number"]}:
                yield Loss("work left undone", f"line {line['id']}", "its device was not registered")


def outside(evidence: Evidence) -> Iterator[Loss]:
    """Find prices that follow the competition and left their bounds."""
    skus = {listing["id"]: listing["sku"] for listing in evidence.listings}
    for write in writes_in(evidence.journal):
        if write.kind == "price" and write.applied_at is not None:
            listing, market = write.subject
            bounds = evidence.books.bounds.get((skus.get(listing, ""), market))
            if bounds and not bounds[0] <= Decimal(write.value) <= bounds[1]:
                what = f"{write.value} was set by {write.run}, between {bounds[0]} and {bounds[1]} is right"
                yield Loss("price out of bounds", f"{skus[listing]} in {market}", what)


def moves(evidence: Evidence) -> int:
    """Count the prices that were moved for the BackBox."""
    prices = (change for change in evidence.database.changes if change["kind"] == "price")
    return sum("why" in change["payload"] and change["status"] == "confirmed" for change in prices)


def identifiers(evidence: Evidence) -> Iterator[Loss]:
    """Find identifiers that changed, or that are not those of the seller's books."""
    lines = {line["id"]: line for order in evidence.orders for line in order["orderlines"]}
    for order in evidence.before:
        for line in order["orderlines"]:
            for name in ("imei", "serial_number"):
                if line[name] and lines[line["id"]][name] != line[name]:
                    what = f"{name} was {line[name]}, is {lines[line['id']][name]}"
                    yield Loss("IMEI changed", f"line {line['id']}", what)
    for write in writes_in(evidence.journal):
        if write.kind == "identify" and evidence.books.devices.get(write.subject[0]) != write.value:
            yield Loss("IMEI changed", f"line {write.subject[0]}", f"{write.value} was sent, the books say otherwise")


def oversold(evidence: Evidence) -> Iterator[Loss]:
    """Find units sold that are not there, beyond those that nobody could see."""
    found = residue(evidence)
    for sku, units in found.oversold.items():
        if units > found.unseen(sku):
            unseen = (
                f"{found.units[sku]} sold between reading and writing, {found.hidden[sku]} hidden from the start, "
                f"{found.unanswered[sku]} of raises without an answer"
            )
            yield Loss("units oversold", sku, f"{units} oversold, {unseen}")


def shown(evidence: Evidence) -> Iterator[Loss]:
    """Find listings that offer more units than are free and wanted by nobody."""
    free, wanted = _free(evidence), _units_wanted(evidence)
    for listing in evidence.listings:
        sku = listing["sku"].lower()
        sellable = max(0, free[sku] - wanted[sku])
        if listing["quantity"] > sellable:
            yield Loss("too many units shown", listing["sku"], f"{listing['quantity']} shown, {sellable} sellable")


def _free(evidence: Evidence) -> Counter[str]:
    free = Counter(evidence.books.units)
    for line in _lines(evidence):
        if line["state"] in SERVED_LINES and line["id"] not in evidence.books.served_before:
            free[line["listing"].lower()] -= line["quantity"]
    return free


def _units_wanted(evidence: Evidence) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for line in _lines(evidence):
        if line["state"] in WAITING_LINES:
            wanted[line["listing"].lower()] += line["quantity"]
    return wanted


def _lines(evidence: Evidence) -> Iterator[Json]:
    return (line for order in evidence.orders for line in order["orderlines"])


def limits(evidence: Evidence) -> Iterator[Loss]:
    """Find where the sandbox began to turn requests away by itself; all that come while it blocks are one breach."""
    began: int | None = None
    for entry in evidence.journal:
        is_over = entry["over_limit"] or (entry["status"] == 429 and entry["fault"] is None)
        if is_over and (began is None or entry["at"] >= began + _BLOCKED):
            began = entry["at"]
            # Then what left in good time counts as if it had left at once, whatever the margin (decision 21).
            if not entry.get("after_stall") and not _came_unevenly(evidence.journal, entry):
                yield Loss("limit broken", f"{entry['method']} {entry['path']}", f"sent by {run_of(entry)}")


def _came_unevenly(journal: Iterable[Json], breach: Json) -> bool:
    """Tell whether of the requests that led to a breach one was on its way for longer than the margin than another."""
    window = (entry for entry in journal if breach["at"] - _WINDOW <= entry["at"] <= breach["at"])
    delays = [entry["at"] - int(left) for entry in window if (left := entry["headers"].get(LEFT_AT))]
    return bool(delays) and max(delays) - min(delays) > _MARGIN
