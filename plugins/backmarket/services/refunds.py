"""Decides which refunds go out, and sends each once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import ForbiddenError, RefusedError
from backmarket.rules.order_askings import refuse_unknown_order
from backmarket.rules.refunds import NEW_STATES, judge_order, judge_refund, payload_of, why_person
from backmarket.services.order_changes import OrderAction, Plan
from backmarket.warehouse import orders, refund_approval
from backmarket.warehouse.ledger import PlannedChange, planned_status
from backmarket.warehouse.refunds import money_of, proven, refund_rows, refused_since, sent_on
from backmarket.warehouse.tracking_imei import orders_of_lines

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from backmarket.api.client import BackMarketClient
    from backmarket.rules.order_facts import Decision, OrderFacts
    from backmarket.rules.refunds import Refund, RefundRow
    from backmarket.services.order_changes import OrderWriting
    from backmarket.settings import RefundSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import Ledger, RecordedChange
    from backmarket.warehouse.refund_approval import Decisions

_SAME_REFUSAL_AGAIN = timedelta(hours=1)
# Refunds of one line go out one after the other, in a plan each; more than these are left to the next run.
_MOST_PLANS = 20


@dataclass(frozen=True)
class Refunding(OrderAction):
    """Pays back one line, or a part of it.

    :param messages: what the customer is told, by the change; they may be personal, so the ledger has none of them.
    :param later: lines that have another refund to be planned once the one before it has ended.
    """

    kind = "refund"
    absent_is_final = False
    pays = True

    settings: RefundSettings
    messages: dict[tuple[int, str], str] = field(default_factory=dict, repr=False)
    later: set[int] = field(default_factory=set)

    def plan(self, connection: Connection, account: str, *, now: datetime) -> Plan:
        """Decide which refunds go out, wait for a person, or are refused: of each line one."""
        feed = refund_rows(connection, account)
        decided_since = now - timedelta(days=self.settings.refund_decision_days)
        planning = _Planning(
            self.settings,
            refund_approval.decisions(connection, account, decided_since=decided_since),
            sent_on(connection, account, now),
            refused_since(connection, account, now - _SAME_REFUSAL_AGAIN),
        )
        order_ids = {row.order_id for row in feed.rows}
        money = money_of(connection, account, order_ids)
        order_of_line = orders_of_lines(connection, account, order_ids - money.keys())
        asked = orders.asked_orders(connection, account)
        self.later.clear()
        going: dict[str, PlannedChange] = {}
        refused: dict[str, list[PlannedChange]] = defaultdict(list)
        for row in feed.rows:
            if known := money.get(row.order_id):
                change = planning.change_of(judge_refund(row, known))
            else:
                decision = refuse_unknown_order(row.order_id, order_of_line.get(row.order_id), asked.get(row.order_id))
                change = _refused(row, decision.reason, None)
            if change is None:
                continue
            if change.status == "refused":
                self.log.warning("Refund of order %s: %s", row.order_id, change.reason)
                refused[change.subject].append(change)
            elif earlier := going.get(change.subject):
                if earlier.status == "planned":
                    self.later.add(int(change.subject))
            else:
                going[change.subject] = change
                planning.note(change)
                if row.return_message:
                    self.messages[int(change.subject), row.kind] = row.return_message
        return Plan([*going.values(), *map(_one_of, refused.values())], [feed], feed)

    def group(self, change: RecordedChange) -> Hashable:
        """Put what Back Market ends by SKU together by SKU; each other refund goes out by itself."""
        payload = change.payload
        return change.change_id if payload["refund"] == "refund" else (payload["refund"], payload["sku"])

    def is_shown(self, payloads: list[dict[str, Any]]) -> bool:
        """Tell whether the line's state shows it: a part that was paid back does not."""
        return all(payload["refund"] != "refund" or payload["is_whole"] for payload in payloads)

    def judge(self, order: OrderFacts, payloads: list[dict[str, Any]]) -> Decision:
        """Judge the lines."""
        return judge_order(order, payloads)

    def send(self, client: BackMarketClient, order: OrderFacts, payloads: list[dict[str, Any]]) -> str | None:
        """Send them: what was not shipped yet by its SKU, what was by its line.

        :raises RefusedError: also where the account may not refund by the API: an account's orders are all alike in
            this, and no other change has to wait for it.
        """
        first = payloads[0]
        kind = first["refund"]
        if kind != "refund":
            client.update_order(
                order.order_id,
                NEW_STATES[kind],
                sku=first["sku"],
                return_reason=first.get("return_reason"),
                return_message=self.messages.get((int(first["orderline_id"]), kind)),
            )
            return None
        amount = None if first["is_whole"] else Decimal(first["amount"])
        try:
            summary = client.create_refund(int(first["orderline_id"]), NEW_STATES[kind], amount)
        except ForbiddenError as error:
            raise RefusedError(str(error), status=error.status, method=error.method, path=error.path) from None
        return f"Back Market: {summary}" if summary else None


@dataclass(frozen=True)
class _Planning:
    """What becomes of refunds that may be sent, one after the other.

    :param sent_today: what a day's refunds come to, those planned so far included, by currency.
    :param refused: what Back Market refused lately.
    """

    settings: RefundSettings
    decisions: Decisions
    sent_today: dict[str, Decimal]
    refused: list[dict[str, Any]]

    def change_of(self, refund: Refund) -> PlannedChange | None:
        """Return the change that a row comes to; None where there is nothing to do, or not now."""
        decision, line = refund.decision, refund.line
        if decision.verdict == "done":
            return None
        if decision.verdict != "send" or line is None:
            return _refused(refund.row, decision.reason, line.orderline_id if line else None)
        payload = payload_of(refund)
        if payload in self.refused:
            return None
        subject, currency = str(line.orderline_id), line.currency or ""
        why = why_person(
            refund.amount,
            currency,
            limit=self.settings.refund_approval_above,
            sent_today=self.sent_today.get(currency, Decimal(0)),
            day_limit=self.settings.refund_approval_above_a_day,
        )
        if why is None:
            return PlannedChange(subject, payload, status=planned_status(dry_run=self.settings.dry_run))
        answer = self.decisions.get((line.orderline_id, refund.row.kind, refund.amount, currency))
        if answer is None:
            return PlannedChange(subject, payload, status="awaiting_approval", reason=why)
        if refusal := answer.against(why):
            return PlannedChange(subject, payload, status="refused", reason=refusal)
        return PlannedChange(subject, payload, status=planned_status(dry_run=self.settings.dry_run))

    def note(self, change: PlannedChange) -> None:
        """Count a change that goes out today."""
        if change.status == "planned":
            currency = change.payload["currency"]
            self.sent_today[currency] = self.sent_today.get(currency, Decimal(0)) + Decimal(change.payload["amount"])


def send_all(
    writing: OrderWriting, action: Refunding, *, now: datetime, run_id: str, limit_pct: Decimal
) -> dict[str, Any]:
    """Plan and send until no line has another refund that only waited for the one before it.

    :return: the counts of :meth:`~backmarket.services.order_changes.OrderWriting.carry_out`, all plans together.
    :raises ChangesWaitingError: as it does.
    """
    connection, account = writing.staging.connection, writing.staging.account
    counts: dict[str, Any] = {}
    wanted = 0
    for _ in range(_MOST_PLANS):
        counts = writing.carry_out(action.plan(connection, account, now=now), run_id=run_id, rows_limit_pct=limit_pct)
        wanted += counts["wanted"]
        if not action.later:
            break
    return {**counts, "wanted": wanted}


def settle_by_statements(ledger: Ledger, action: Refunding) -> int:
    """Confirm the parts whose answer was lost and that a statement shows; return how many."""
    found = proven(ledger.connection, ledger.account)
    for change_id, invoice_ref in found:
        ledger.settle([change_id], "confirmed", f"statement {invoice_ref} shows it")
        action.log.info("A refund whose answer was lost stands in statement %s.", invoice_ref)
    return len(found)


def _refused(row: RefundRow, reason: str, orderline_id: int | None) -> PlannedChange:
    """Name a row that is not sent, by its line, or by its order where the line is not known."""
    known = {"order_id": row.order_id, "refund": row.kind if row.kind in NEW_STATES else ""}
    return PlannedChange(str(orderline_id or row.orderline_id or row.order_id), known, status="refused", reason=reason)


def _one_of(refused: list[PlannedChange]) -> PlannedChange:
    """Name several rows of one line together: the ledger tells a refusal once, until it or its reason changes."""
    # A person's no comes last: what begins with one needs nobody any more.
    reasons = sorted(
        dict.fromkeys(change.reason or "" for change in refused), key=lambda why: why.startswith("declined")
    )
    return replace(refused[0], reason="; ".join(reasons))
