"""Plans prices, and sends them one by one."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.rules.prices import OfferRow, WantedPrice, decide_price
from backmarket.rules.skus import sku_key
from backmarket.services.item_failures import ItemFailures, raise_what_concerns_all
from backmarket.warehouse import inventory_prices, sql
from backmarket.warehouse.inventory_prices import Finding
from backmarket.warehouse.ledger import Ledger, PlannedChange
from backmarket.warehouse.seller_rows import PRICES, LeftOut, SellerRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from backmarket.services.offers import OfferUpload
    from backmarket.services.price_batches import PriceBatches
    from backmarket.settings import PriceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import RecordedChange, Refusals


SAME_REFUSAL_AGAIN = timedelta(days=1)

# What a market showed longer ago says nothing: as where it could not be read by this run.
FRESH = timedelta(minutes=30)


class PricePlan(NamedTuple):
    """What a plan found.

    :param counts: prices looked at, and how many are sent, refused, unchanged and asked.
    :param feed: the rows of ``seller.prices`` that these markets may be meant by.
    """

    counts: dict[str, int]
    feed: SellerRows[WantedPrice]


class _Row(NamedTuple):
    """A row of ``seller.prices`` whose SKU the market shows.

    :param wanted: the row, or why it cannot be used.
    :param offer: what the market shows, and what was sent last.
    """

    sku: str
    market: str
    wanted: WantedPrice | LeftOut
    offer: dict[str, Any]


_Decisions = dict[tuple[str, str, "Decimal", "Decimal"], str]


def plan_prices(
    connection: Connection,
    account: str,
    settings: PriceSettings,
    *,
    markets: list[str],
    now: datetime,
    run_id: str,
) -> PricePlan:
    """Plan the prices of these markets from what is stored, and record them.

    A large move waits for a person; what a person decided about exactly this move, old price and new, holds for
    ``backmarket_price_decision_days``. A row
    that cannot be read is refused for its reason. A price whose offer was not read within the last half hour is left
    alone.
    """
    refused = Ledger(connection, account, "price").refusals(since=now - SAME_REFUSAL_AGAIN)
    counts: Counter[str] = Counter({"prices": 0, "send": 0, "ask": 0, "refuse": 0, "unchanged": 0})
    changes, findings = [], []
    feed, rows = _read(connection, account, markets)
    decided_since = now - timedelta(days=settings.price_decision_days)
    decisions = _decisions(connection, account, markets, decided_since)
    ambiguous = _refusals_of_twins(rows)
    for row in rows:
        counts["prices"] += 1
        if (sku_key(row.sku), row.market) in ambiguous:
            counts["refuse"] += 1
            continue
        if now - row.offer["read_at"] > FRESH:
            counts["not_read"] += 1
            continue
        verdict, change = _decide(row, settings, refused, decisions)
        counts[verdict] += 1
        if change is not None:
            changes.append(change)
        if _changed_outside(row.offer):
            shown, last_sent = row.offer["shown"], row.offer["last_sent"]
            detail = f"shows {shown}, {last_sent} was sent: changed in the Back Office, by BackPricer or "
            findings.append(Finding("price_changed_outside", row.sku, f"{detail}by another integration", row.market))
    with connection.transaction():
        Ledger(connection, account, "price").plan([*changes, *ambiguous.values()], run_id=run_id)
        inventory_prices.record_findings(connection, account, findings)
    return PricePlan({**counts, "price_changed_outside": len(findings)}, feed)


def _read(connection: Connection, account: str, markets: list[str]) -> tuple[SellerRows[WantedPrice], list[_Row]]:
    """Return the seller's prices, and those of them whose SKU the market shows."""
    usable: list[WantedPrice] = []
    left_out: list[LeftOut] = []
    rows = []
    parameters = {"account": account, "markets": markets}
    found = _named(connection.execute(sql.statement("inventory_prices/select_prices"), parameters))
    for _, offers in groupby(found, key=itemgetter("position")):
        offer = next(offers)
        wanted = PRICES.judge({name: offer[name] for name in PRICES.columns})
        if isinstance(wanted, LeftOut):
            left_out.append(wanted)
        else:
            usable.append(wanted)
        rows += [_Row(each["sku"], each["market"], wanted, each) for each in chain([offer], offers) if each["id"]]
    return SellerRows(PRICES.table, "sku", usable, left_out), rows


def _decisions(connection: Connection, account: str, markets: list[str], decided_since: datetime) -> _Decisions:
    """Return what people decided: by SKU and market, old price and new."""
    parameters = {"account": account, "markets": markets, "decided_since": decided_since}
    rows = connection.execute(sql.statement("price_approval/select_decisions"), parameters)
    return {(sku, market, old, new): status for sku, market, old, new, status in rows}


def _refusals_of_twins(rows: list[_Row]) -> dict[tuple[str, str], PlannedChange]:
    """Refuse, once each, SKUs with several prices for a market, or several listings: they would take turns.

    :return: by :func:`sku_key` and market.
    """
    pairs = Counter((sku_key(row.sku), row.market) for row in rows)
    return {
        (sku, market): PlannedChange(
            sku,
            {},
            market,
            "refused",
            f"{times} pairs of price and listing share this SKU, in whatever case: none is sent",
        )
        for (sku, market), times in pairs.items()
        if times > 1
    }


def _decide(
    row: _Row, settings: PriceSettings, refused: Refusals, decisions: _Decisions
) -> tuple[str, PlannedChange | None]:
    from backmarket.api.markets import MARKETS

    sku, market, wanted, offer = row
    rules = MARKETS[market]
    if isinstance(wanted, LeftOut):
        unknown = {"id": str(offer["id"]), "price": None, "currency": rules.currency}
        return "refuse", PlannedChange(sku, unknown, market, "refused", wanted.reason)
    decision = decide_price(
        wanted,
        OfferRow(offer["shown"], offer["max_price"], max_price_unreadable=offer["max_price_unreadable"]),
        currency=rules.currency,
        decimals=rules.decimals,
        change_limit_pct=settings.price_change_limit_pct,
    )
    decided = decisions.get((sku, market, offer["shown"], decision.price)) if decision.price else None
    payload = {"id": str(offer["id"]), "price": decision.price and str(decision.price), "currency": rules.currency}
    verdict = decision.verdict
    reason: str | None = decision.reason or None
    if verdict == "ask" and decided == "approved":
        verdict, reason = "send", None
    elif verdict == "ask" and decided in {"refused", "expired"}:
        how = "a person refused it" if decided == "refused" else "nobody approved it in time"
        verdict, reason = "refuse", f"{decision.reason}: {how}"
    elif verdict == "ask":
        payload["old_price"] = str(offer["shown"])
    if verdict == "send" and refused.include(sku, payload, market):
        return "refuse", None
    if verdict == "unchanged":
        return verdict, None
    status = {"send": "planned", "ask": "awaiting_approval", "refuse": "refused"}[verdict]
    if settings.dry_run and verdict == "send":
        status = "dry_run"
    return verdict, PlannedChange(sku, payload, market, status, reason)  # type: ignore[arg-type]


def _changed_outside(offer: dict[str, Any]) -> bool:
    """Tell whether a market shows another price than was last confirmed here, by a later reading."""
    return bool(
        offer["last_sent"] is not None
        and offer["shown"] != offer["last_sent"]
        and offer["read_at"] > offer["last_sent_at"]
    )


def _named(cursor: Any) -> Iterator[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)


@dataclass
class PriceSending:
    """Sends the planned prices of all markets, so that a market that refuses keeps none of the others away.

    :param in_batches: how many went out in batches.
    :param markets_left: why nothing more was sent to a market, by its code.
    """

    upload: OfferUpload
    batches: PriceBatches
    in_batches: int = 0
    markets_left: dict[str, str] = field(default_factory=dict)
    _refused: list[RecordedChange] = field(default_factory=list)
    _failures: dict[str, ItemFailures] = field(default_factory=dict)

    def not_sent(self) -> list[str]:
        """Return the prices that Back Market failed on, and those of refused batches that wait, by SKU and market."""
        waiting = {change.change_id for change in self.upload.prices.planned()}
        failed = [name for failures in self._failures.values() for name in failures.failed]
        refused = [f"{each.subject} {each.market}" for each in self._refused if each.change_id in waiting]
        return list(dict.fromkeys([*failed, *refused]))

    def send(self) -> None:
        """Send batches, then single prices; what surely was not applied the first time goes once more.

        :raises BackMarketError: where sending more would fail alike in all markets.
        """
        self._send_batches()
        for _ in range(2):
            if not self._send_singly():
                return

    def _send_batches(self) -> None:
        """Send the batches among those whose turn it is within the hour's budget."""
        from backmarket.api.errors import BackMarketError
        from backmarket.services.batches import BatchSending

        upload = self.upload
        turn = upload.prices.planned()[: upload.budget.left()]
        sending = BatchSending(upload.prices, upload.client, upload.budget, upload.log)
        failures = ItemFailures(self.markets_left)
        for batch in self.batches.choose(turn):
            try:
                self.in_batches += sending.send(*batch)
            except BackMarketError as error:
                failures.note(batch.market, error)
                upload.log.warning("The batch for %s stays planned: %s", batch.market, error)
        self._refused += sending.refused

    def _send_singly(self) -> bool:
        """Send what is still planned, market by market in turns, and tell whether some of it may go once more."""
        from backmarket.api.errors import BackMarketError

        upload = self.upload
        again = False
        queues = deque(self._queues())
        while queues:
            market, queue = queues.popleft()
            try:
                change = next(queue, None)
                if change is None:
                    continue
                upload.failures = self._failures[market]
                outcome = upload.send_price(change)
            except BackMarketError as error:
                raise_what_concerns_all(error)
                self.markets_left[market] = str(error)
                upload.log.warning("The prices of %s stay planned: %s", market, error)
                continue
            if outcome == "waits":
                return False
            again |= outcome == "again"
            queues.append((market, queue))
        return again

    def _queues(self) -> Iterator[tuple[str, Iterator[RecordedChange]]]:
        """Yield each market that is not left, with its planned prices, the longest waiting first."""
        markets: dict[str, list[RecordedChange]] = {}
        for change in self.upload.prices.planned():
            if change.market not in self.markets_left:
                markets.setdefault(change.market, []).append(change)
        for market, changes in markets.items():
            yield market, self._failures.setdefault(market, ItemFailures()).each(changes)
