"""Plans prices, and sends them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.errors import BackMarketError
from backmarket.api.markets import MARKETS
from backmarket.rules.market_turns import in_turn
from backmarket.rules.prices import OfferRow, after_decision, decide_price, other_currency
from backmarket.rules.repricing import after_limit
from backmarket.rules.skus import sku_key
from backmarket.services.batches import BatchSending
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import ItemFailures, raise_what_concerns_all
from backmarket.services.offers import name_of, settle_by_readings
from backmarket.warehouse import inventory_prices, price_approval, sku_map
from backmarket.warehouse.inventory_prices import Finding
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.prices import price_rows, shown_prices, unmatched_prices
from backmarket.warehouse.seller_rows import LeftOut
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from backmarket.rules.prices import Verdict, WantedPrice
    from backmarket.rules.repricing import Wish
    from backmarket.rules.sku_map import SkuMap
    from backmarket.services.listing_reading import MarketReading
    from backmarket.services.log import Log
    from backmarket.services.offers import OfferSending
    from backmarket.services.price_batches import PriceBatches
    from backmarket.settings import PriceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedStatus, RecordedChange, Refusals
    from backmarket.warehouse.price_approval import Decisions
    from backmarket.warehouse.prices import PriceRow
    from backmarket.warehouse.seller_rows import SellerRows
    from backmarket.warehouse.sku_map import MapReading

SAME_REFUSAL_AGAIN = timedelta(days=1)

Wishes = Mapping[tuple["UUID", str], "Wish"]
"""What repricing wants, by listing and market."""

# What a market showed longer ago says nothing: as where it could not be read by this run.
FRESH = timedelta(minutes=30)
_VERDICTS = {
    "send": "to be sent",
    "ask": "to be approved by a person",
    "refuse": "refused",
    "price_changed_outside": "changed outside",
}


class PricePlan(NamedTuple):
    """The result of a plan.

    :param counts: prices looked at, and how many are sent, refused, unchanged and asked.
    :param feed: the rows of ``seller.prices`` that these markets may be meant by.
    :param mapping: which SKUs feed which listings.
    """

    counts: dict[str, int]
    feed: SellerRows[WantedPrice]
    mapping: MapReading


def refresh_offers(
    reading: MarketReading,
    batches: PriceBatches,
    markets: list[str],
    *,
    since: datetime | None,
    in_flight: timedelta,
) -> dict[str, Any]:
    """Read the offers of these markets, and settle prices whose answers were lost or that went out in batches.

    What was sent last without an answer is waited for before reading: it may still arrive, also after a newer one. What
    another DAG is sending, or has sent meanwhile, is that one's to settle. A market that refuses or fails, or for which
    the time does not suffice, is named and keeps its older reading, on which no price is planned.

    :param since: when this run began: a market that was read since, and since all had arrived, is not read again.
    :param in_flight: how long a request may still be on its way after its answer was lost.
    :return: the listings read and quarantined, what was settled; and the markets that could not be read, as
        ``markets_left``.
    :raises BackMarketError: where it concerns all markets alike.
    """
    prices = Ledger(reading.connection, reading.account, "price")
    with prices.without_senders():
        # How a line of a batch ended, the status of its batch tells, too.
        lost = {each.change_id: each for each in prices.unsettled() if not each.in_batch}
    arrived_at = let_arrive(lost.values(), in_flight, reading.log)
    if arrived_at and since:
        since = max(since, arrived_at)
    wanted = [market for market in markets if not reading.was_read(market, since)]
    with reading.client.within(reading.time_for(wanted)):
        # Asked for before reading: what a batch did after its status was read is not missed in the reading.
        looked = batches.look()
        counts = reading.read_each(in_turn(wanted, datetime.now(UTC)), was_answered=len(wanted) < len(markets))
    counts["markets_left"] = [market for market in wanted if market in counts["markets_left"]]
    shown = shown_prices(reading.connection, reading.account) if lost else {}
    with prices.without_senders():
        unsettled = [change for change in prices.unsettled() if change == lost.get(change.change_id)]
        counts |= settle_by_readings(prices, unsettled, shown)
    in_batches = batches.settle(looked)
    counts["batch_prices_settled"] = sum(in_batches.values()) - in_batches["unknown"]
    read = [market for market in wanted if market not in counts["markets_left"]]
    reading.log.info("Markets read: %s.", ", ".join(read) or "none but home")
    return counts


def plan_prices(
    connection: Connection,
    account: str,
    settings: PriceSettings,
    *,
    markets: list[str],
    now: datetime,
    run_id: str,
    wishes: Wishes | None = None,
    ceiling_pct: Decimal = Decimal(0),
    prices_upload: bool = True,
) -> PricePlan:
    """Plan the prices of these markets from what is stored, and record them.

    A large move waits for a person; what a person decided about exactly this move, old price and new, holds for
    ``backmarket_price_decision_days``. A row that cannot be read is refused for its reason. A price whose offer was not
    read within the last half hour is left alone.

    :param wishes: what repricing decided, which goes before ``seller.prices`` where a price is shown. None: repricing
        is off.
    :param ceiling_pct: how far above the seller's price repricing may raise one, in per cent: the price may have been
        lowered since repricing decided.
    :param prices_upload: whether the prices of ``seller.prices`` are sent; else nothing but wishes is planned.
    """
    ledger = Ledger(connection, account, "price")
    refused = ledger.refusals(since=now - SAME_REFUSAL_AGAIN)
    counts: Counter[str] = Counter({"prices": 0, "send": 0, "ask": 0, "refuse": 0, "unchanged": 0})
    changes, findings = [], []
    mapping = sku_map.read(connection, account)
    feed, rows = offers_to_price(connection, account, markets, mapping.sku_map)
    decided_since = now - timedelta(days=settings.price_decision_days)
    decisions = price_approval.decisions(connection, account, markets, decided_since=decided_since)
    if wishes is not None and not prices_upload:
        rows = [row for row in rows if (row.listing_id, row.market) in wishes]
    ambiguous = _refusals_of_twins(rows)
    for row in rows:
        counts["prices"] += 1
        if (sku_key(row.sku), row.market) in ambiguous:
            counts["refuse"] += 1
            continue
        if now - row.read_at > FRESH:
            counts["not_read"] += 1
            continue
        # Repricing moves what is shown: without the seller's own price, the listing would stay without one.
        is_own = prices_upload and not row.shown
        wish = None if is_own else (wishes or {}).get((row.listing_id, row.market))
        if wish and _is_raised_too_far(row, wish, ceiling_pct):
            counts["unchanged"] += 1
            continue
        verdict, change = _decide(row, settings, refused, decisions, wish)
        counts[verdict] += 1
        if change is not None:
            changes.append(change)
        if _is_changed_outside(row):
            shown = f"{row.shown} {other_currency(row.currency, MARKETS[row.market].currency) or ''}".strip()
            detail = f"shows {shown}, {row.last_sent} was sent: changed in the Back Office, by BackPricer or "
            findings.append(Finding("price_changed_outside", row.sku, f"{detail}by another integration", row.market))
    with connection.transaction():
        ledger.plan([*changes, *ambiguous.values()], run_id=run_id)
        inventory_prices.record_findings(connection, account, findings)
    return PricePlan({**counts, "price_changed_outside": len(findings)}, feed, mapping)


def offers_to_price(
    connection: Connection, account: str, markets: list[str], feeding: SkuMap
) -> tuple[SellerRows[WantedPrice], list[PriceRow]]:
    """Return the rows of ``seller.prices``, and the offers that they are about, each once where they agree."""
    feed, found = price_rows(connection, account, markets, feeding)
    return feed, _agreed(found)


def log_plan(connection: Connection, account: str, plan: PricePlan, log: Log, *, markets: list[str]) -> int:
    """Log what was planned, and which rows of ``seller.prices`` no plan looks at; return how many these are.

    :param plan: of :func:`plan_prices`.
    """
    counts = plan.counts
    told = {_VERDICTS.get(name, name): number for name, number in counts.items() if name != "prices"}
    log.info("%s looked at: %s.", counted(counts["prices"], "price"), tally(told, none="nothing to do"))
    unmatched = unmatched_prices(connection, account, markets, plan.mapping.sku_map)
    for reason, rows, examples in unmatched:
        log.warning("%s of seller.prices %s, such as %s.", counted(rows, "row"), reason, ", ".join(examples))
    if counts["price_changed_outside"]:
        log.warning(
            "%s changed outside since it was sent: see backmarket.inventory_findings.",
            counted(counts["price_changed_outside"], "price was", "prices were"),
        )
    return sum(rows for _, rows, _ in unmatched)


def _agreed(rows: list[PriceRow]) -> list[PriceRow]:
    """Return the rows, but one alone where SKUs that feed one listing want the same for it."""
    together: dict[tuple[UUID, str], list[PriceRow]] = {}
    for row in rows:
        together.setdefault((row.listing_id, row.market), []).append(row)
    return [row for own in together.values() for row in (own[:1] if _say_the_same(own) else own)]


def _say_the_same(rows: list[PriceRow]) -> bool:
    wanted = {
        (row.wanted.price, (row.wanted.currency or "").strip().upper(), row.wanted.min_price)
        for row in rows
        if not isinstance(row.wanted, LeftOut)
    }
    are_all_read = not any(isinstance(row.wanted, LeftOut) for row in rows)
    return are_all_read and len(wanted) == 1 and len({sku_key(row.given_sku) for row in rows}) == len(rows)


def _refusals_of_twins(rows: list[PriceRow]) -> dict[tuple[str, str], PlannedChange]:
    """Refuse, once each, SKUs with several prices for a market, or several listings: they would take turns.

    :return: by :func:`sku_key` and market.
    """
    pairs: dict[tuple[str, str], list[PriceRow]] = {}
    for row in rows:
        pairs.setdefault((sku_key(row.sku), row.market), []).append(row)
    return {
        (sku, market): PlannedChange(sku, {}, market, "refused", _why_twins(own))
        for (sku, market), own in pairs.items()
        if len(own) > 1
    }


def _why_twins(rows: list[PriceRow]) -> str:
    given = {sku_key(row.given_sku): row.given_sku for row in rows}
    if len(given) > 1 and len({row.listing_id for row in rows}) == 1:
        skus = ", ".join(given.values())
        return f"the prices of {skus}, which feed this listing, differ or cannot be read: none is sent"
    return f"{len(rows)} pairs of price and listing share this SKU, in whatever case: none is sent"


def _is_raised_too_far(row: PriceRow, wish: Wish, ceiling_pct: Decimal) -> bool:
    """Tell whether a wish raises a price above what the seller wants by now: the next decision is to be waited for."""
    own = None if isinstance(row.wanted, LeftOut) else row.wanted.price
    if wish.price is None or row.shown is None or own is None or not own.is_finite():
        return False
    return wish.price > row.shown and wish.price > own * (100 + ceiling_pct) / 100


def _decide(
    row: PriceRow, settings: PriceSettings, refused: Refusals, decisions: Decisions, wish: Wish | None
) -> tuple[Verdict, PlannedChange | None]:
    rules = MARKETS[row.market]
    payload = {"id": str(row.listing_id), "price": None, "currency": rules.currency}
    if isinstance(row.wanted, LeftOut):
        return "refuse", PlannedChange(row.sku, payload, row.market, "refused", row.wanted.reason)
    if wish and (wish.price is None or not row.shown):
        return "unchanged", None
    offer = OfferRow(
        row.shown,
        row.max_price,
        max_price_unreadable=row.max_price_unreadable,
        currency=row.currency,
        last_sent=row.last_sent,
        last_shown=None if other_currency(row.last_shown_currency, rules.currency) else row.last_shown,
    )
    planned = decide_price(
        replace(row.wanted, price=wish.price) if wish else row.wanted,
        offer,
        currency=rules.currency,
        decimals=rules.decimals,
        change_limit_pct=settings.price_change_limit_pct,
    )
    if wish:
        planned = after_limit(planned, wish)
    decided = after_decision(planned, decisions.get((sku_key(row.sku), row.market, offer.measured_from, planned.price)))
    verdict = decided.verdict
    if decided.price is not None:
        payload["price"] = str(decided.price)
    if verdict == "unchanged":
        return verdict, None
    if verdict == "send" and refused.include(row.sku, payload, row.market):
        return "refuse", None
    if verdict == "ask" or wish:
        payload["old_price"] = None if offer.measured_from is None else str(offer.measured_from)
    if wish:
        payload["why"] = wish.reason
    statuses: dict[Verdict, PlannedStatus] = {
        "send": planned_status(dry_run=settings.dry_run),
        "ask": "awaiting_approval",
        "refuse": "refused",
    }
    reason = decided.reason or (wish.reason if wish else None)
    return verdict, PlannedChange(row.sku, payload, row.market, statuses[verdict], reason)


def _is_changed_outside(row: PriceRow) -> bool:
    """Tell whether a market shows another price than was last confirmed here, by a later reading."""
    return (
        row.last_sent is not None
        and row.last_sent_at is not None
        and (row.shown != row.last_sent or other_currency(row.currency, MARKETS[row.market].currency) is not None)
        and row.read_at > row.last_sent_at
    )


@dataclass
class PriceSending:
    """Sends the planned prices of all markets; a market that refuses does not stop the others.

    :param sending: sends single prices.
    :param in_batches: how many went out in batches.
    :param markets_left: why nothing more was sent to a market, by its code.
    """

    sending: OfferSending
    batches: PriceBatches
    in_batches: int = 0
    markets_left: dict[str, str] = field(default_factory=dict)
    _refused: list[RecordedChange] = field(default_factory=list)
    _failures: dict[str, ItemFailures] = field(default_factory=dict)

    def send(self, in_flight: timedelta) -> dict[str, Any]:
        """Send batches, then single prices; what surely was not applied the first time goes once more.

        :param in_flight: how long a request may still be on its way after its answer was lost.
        :return: the outcomes, how many went out in batches and how many wait; and the prices that could not be sent, as
            ``not_sent``, with the ``markets_left``.
        :raises BackMarketError: where sending more would fail alike in all markets.
        """
        self._send_batches()
        if self._send_singly() | self._read_unseen_again(in_flight):
            self._send_singly()
            self._read_unseen_again(in_flight)
        return {
            **self.sending.counts,
            "in_batches": self.in_batches,
            "waiting": self.sending.log_waiting(self.sending.prices),
            "not_sent": self._not_sent(),
            "markets_left": list(self.markets_left),
        }

    def _not_sent(self) -> list[str]:
        """Return the prices that Back Market failed on, and those of refused batches that wait, by SKU and market."""
        waiting = {change.change_id for change in self.sending.prices.planned()}
        failed = [name for failures in self._failures.values() for name in failures.failed]
        refused = [name_of(each) for each in self._refused if each.change_id in waiting]
        return list(dict.fromkeys([*failed, *refused]))

    def _send_batches(self) -> None:
        """Send the batches among the prices that the hour's budget grants."""
        sending = self.sending
        turn = sending.prices.planned()[: sending.budget.left()]
        in_batches = BatchSending(
            sending.prices, sending.client, sending.budget, sending.log, markets_left=self.markets_left
        )
        for batch in self.batches.choose(turn):
            self.in_batches += in_batches.send(*batch)
        self._refused += in_batches.refused

    def _send_singly(self) -> bool:
        """Send what is still planned, market by market in turns, and tell whether some of it may go once more."""
        sending = self.sending
        again = False
        queues = deque(self._queues())
        while queues:
            market, queue = queues.popleft()
            try:
                change = next(queue, None)
                if change is None:
                    continue
                sending.failures = self._failures[market]
                outcome = sending.send_price(change)
            except BackMarketError as error:
                raise_what_concerns_all(error)
                self.markets_left[market] = str(error)
                sending.log.warning("The prices of %s stay planned: %s", market, error)
                continue
            if outcome == "waits":
                return False
            again |= outcome == "again"
            queues.append((market, queue))
        return again

    def _read_unseen_again(self, in_flight: timedelta) -> bool:
        """Read back, once they must have arrived, prices that did not show, and tell whether some may go once more."""
        sending = self.sending
        markets: dict[str, list[RecordedChange]] = {}
        for _, change in sending.take_unseen(in_flight):
            markets.setdefault(change.market, []).append(change)
        again = False
        for market, changes in markets.items():
            sending.failures = self._failures[market]
            try:
                for change in sending.failures.each(changes):
                    again |= sending.read_again(sending.prices, change) == "again"
            except BackMarketError as error:
                raise_what_concerns_all(error)
                self.markets_left[market] = str(error)
                sending.log.warning("The prices of %s are settled by the next run: %s", market, error)
        return again

    def _queues(self) -> Iterator[tuple[str, Iterator[RecordedChange]]]:
        """Yield each market that is not left, with its planned prices, the longest waiting first."""
        markets: dict[str, list[RecordedChange]] = {}
        for change in self.sending.prices.planned():
            if change.market not in self.markets_left:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            yield market, self._failures.setdefault(market, ItemFailures()).each(changes)
