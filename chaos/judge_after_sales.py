"""The comparison of what comes after the sale. What counts as a loss besides the kinds of :mod:`chaos.judge`:

- ``refund wrong``: more was paid back of a line than was paid for it, or what the seller's books do not ask for.
- ``invoice wrong``: an order has an invoice that is not its own.
- ``message lost``: Back Market has a message, or a state of its care folder, that the database does not have.
- ``return lost``: the same of a parcel that comes back.

What Back Market itself refused is told to a person: no work is left undone then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from chaos.evidence import Json, Loss
from chaos.stage import REFUNDS_BY_THEMSELVES
from chaos.writes import run_of
from sandbox.after_sales.amounts import paid_for
from sandbox.orders.model import LINE_CANCELLED, LINE_REFUNDED_AFTER, LINE_REFUNDED_BEFORE, LINE_SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chaos.evidence import Evidence

LEDGER_KINDS = frozenset({"refund", "invoice"})
"""What is compared here alone."""

_TYPES = {
    "cancel": LINE_CANCELLED,
    "refund_before_shipping": LINE_REFUNDED_BEFORE,
    "refund": LINE_REFUNDED_AFTER,
}
_ENDPOINT = "/ws/sav/refund"
# An answer that took longer may have come after the client had hung up.
_SOON = 1_000_000


def refunds(evidence: Evidence) -> Iterator[Loss]:
    """Hold what Back Market paid back against what was paid, what the seller asked for, and the ledger's attempts."""
    lines = {line["id"]: line for order in evidence.orders for line in order["orderlines"]}
    attempts: Counter[int] = Counter()
    for change in _changes(evidence, "refund"):
        attempts[int(change["subject"])] += change["attempts"]
    for line_id, found in _by_line(evidence).items():
        name = f"line {line_id}"
        for (kind, amount), times in Counter((each["type"], each["amount"]) for each in found).items():
            if times > 1:
                yield Loss("change applied twice", name, f"refund of type {kind}, {amount}, applied {times} times")
            if not _is_asked_for(evidence, line_id, kind, Decimal(amount)):
                yield Loss("refund wrong", name, f"{amount} paid back by type {kind}, which nobody asked for")
        total = sum(Decimal(each["amount"]) for each in found)
        if total > paid_for(lines[line_id]):
            yield Loss("refund wrong", name, f"{total} paid back, {paid_for(lines[line_id])} paid")
        if len(found) > attempts[line_id]:
            what = f"{len(found)} refunds applied, the ledger has {attempts[line_id]} attempts"
            yield Loss("change not in the ledger", name, what)


def confirmed_refunds(evidence: Evidence) -> Iterator[Loss]:
    """Hold what the ledger calls confirmed against what Back Market applied."""
    by_line = _by_line(evidence)
    for change in _changes(evidence, "refund", "confirmed"):
        payload, of_line = change["payload"], by_line[int(change["subject"])]
        wanted = _TYPES[payload["refund"]], Decimal(payload["amount"])
        if wanted not in {(each["type"], Decimal(each["amount"])) for each in of_line}:
            yield Loss("change not true", f"refund {change['subject']}", f"confirmed, not applied: {change['reason']}")


def _by_line(evidence: Evidence) -> dict[int, list[Json]]:
    by_line: dict[int, list[Json]] = defaultdict(list)
    for refund in evidence.refunds:
        by_line[refund["orderline_id"]].append(refund)
    return by_line


def _is_asked_for(evidence: Evidence, line_id: int, kind: int, amount: Decimal) -> bool:
    asked = evidence.books.refunds.get(line_id, ())
    return any(_TYPES[each.kind] == kind and each.amount in {None, amount} for each in asked)


def undone_refunds(evidence: Evidence) -> Iterator[Loss]:
    """Find refunds of shipped lines that nobody had to be asked about; of a line in doubt nothing more is paid back."""
    by_line = _by_line(evidence)
    lines = {line["id"]: line for order in evidence.orders for line in order["orderlines"]}
    told = {int(c["subject"]) for c in _changes(evidence, "refund", "unknown")} | {
        int(c["subject"]) for c in _changes(evidence, "refund", "refused") if c["attempts"]
    }
    for line_id, asked in evidence.books.refunds.items():
        if line_id in told or lines[line_id]["state"] != LINE_SHIPPED:
            continue
        applied = {Decimal(each["amount"]) for each in by_line[line_id]}
        wanted = [each.amount for each in asked if each.kind == "refund"]
        rest = paid_for(lines[line_id]) - sum(amount or 0 for amount in wanted)
        for amount in (rest if amount is None else amount for amount in wanted):
            if amount <= REFUNDS_BY_THEMSELVES and amount not in applied:
                yield Loss("work left undone", f"line {line_id}", f"{amount} was not paid back")


def may_be_in_doubt(evidence: Evidence, change: Json) -> bool:
    """Tell whether it is a part of a price whose end nobody can know: the answer was lost, or the run was killed."""
    payload = change["payload"]
    if change["kind"] != "refund" or payload["refund"] != "refund" or payload["is_whole"]:
        return False
    asked = [
        entry
        for entry in evidence.journal
        if entry["path"] == _ENDPOINT
        and entry["body"]["orderline_pk"] == int(change["subject"])
        and Decimal(str(entry["body"].get("amount", 0))) == Decimal(payload["amount"])
    ]
    # Killed before its request left, it is in doubt, too.
    return (
        any(map(_is_lost, asked))
        or bool({run_of(entry) for entry in asked} & evidence.interrupted)
        or (not asked and bool(evidence.interrupted))
    )


def _is_lost(entry: Json) -> bool:
    return entry["fault"] is not None or entry["status"] is None or entry["over_at"] - entry["at"] > _SOON


def invoices(evidence: Evidence) -> Iterator[Loss]:
    """Hold the invoices that came against those that the seller wrote: each order its own, the newest at least once."""
    came = {(invoice["order_id"], invoice["sha256"]) for invoice in evidence.invoices}
    for order_id, digest in sorted(came):
        if digest not in evidence.books.invoices.get(order_id, ()):
            yield Loss("invoice wrong", f"order {order_id}", "what came is no invoice of it")
    refused = {int(c["subject"]) for c in _changes(evidence, "invoice", "refused") if c["attempts"]}
    for order_id, written in evidence.books.invoices.items():
        if (order_id, written[-1]) not in came and order_id not in refused:
            yield Loss("work left undone", f"order {order_id}", "its newest invoice was not sent")
    for change in _changes(evidence, "invoice", "confirmed"):
        if (int(change["subject"]), change["payload"]["sha256"]) not in came:
            yield Loss("change not true", f"invoice {change['subject']}", "confirmed, and never came")


def messages(evidence: Evidence) -> Iterator[Loss]:
    """Compare care folders and their messages."""
    states = {row["care_folder_id"]: row["state"] for row in evidence.database.care_folders}
    stored = {(row["care_folder_id"], row["message_id"]): row["message"] for row in evidence.database.care_messages}
    for folder in evidence.care_folders:
        name = f"care folder {folder['id']}"
        if states.get(folder["id"]) != folder["state"]:
            yield Loss("message lost", name, f"state {states.get(folder['id'])} stored, is {folder['state']}")
        for message in folder["messages"]:
            if stored.get((folder["id"], message["id"])) != message["message"]:
                yield Loss("message lost", name, f"message {message['id']} is not stored as it was written")


def returns(evidence: Evidence) -> Iterator[Loss]:
    """Compare parcels that come back."""
    stored = {row["shipment_id"]: row for row in evidence.database.returns}
    for parcel in evidence.returns:
        row, name = stored.get(parcel["id"]), f"return {parcel['id']}"
        if row is None or row["orderline_id"] != parcel["orderline_id"]:
            yield Loss("return lost", name, "not stored, or not for its line")
        elif (row["date_delivery"] is None) != (parcel["delivered"] is None):
            yield Loss("return lost", name, f"delivery {row['date_delivery']} stored, is {parcel['delivered']}")


def _changes(evidence: Evidence, kind: str, status: str | None = None) -> Iterator[Json]:
    return (
        change for change in evidence.database.changes if change["kind"] == kind and status in {None, change["status"]}
    )


CHECKS: tuple[Callable[[Evidence], Iterable[Loss]], ...] = (
    refunds,
    confirmed_refunds,
    undone_refunds,
    invoices,
    messages,
    returns,
)
