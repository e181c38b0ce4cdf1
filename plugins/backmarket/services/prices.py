"""Plans prices."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from backmarket.api.markets import MARKETS
from backmarket.rules.prices import OfferRow, after_decision, decide_price
from backmarket.rules.skus import sku_key
from backmarket.services.lost_answers import settle_prices
from backmarket.warehouse import inventory_prices, price_approval
from backmarket.warehouse.inventory_prices import Finding
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.warehouse.prices import price_rows, unmatched_prices
from backmarket.warehouse.seller_rows import LeftOut

if TYPE_CHECKING:
    from datetime import datetime

    from backmarket.rules.prices import Verdict, WantedPrice
    from backmarket.services.listing_reading import MarketReading
    from backmarket.services.log import Log
    from backmarket.services.price_batches import PriceBatches
    from backmarket.settings import PriceSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import PlannedStatus, Refusals
    from backmarket.warehouse.price_approval import Decisions
    from backmarket.warehouse.prices import PriceRow
    from backmarket.warehouse.seller_rows import SellerRows

SAME_REFUSAL_AGAIN = timedelta(days=1)

# What a market showed longer ago says nothing: as where it could not be read by this run.
FRESH = timedelta(minutes=30)


class PricePlan(NamedTuple):
    """The result of a plan.

    :param counts: prices looked at, and how many are sent, refused, unchanged and asked.
    :param feed: the rows of ``seller.prices`` that these markets may be meant by.
    """

    counts: dict[str, int]
    feed: SellerRows[WantedPrice]


def refresh_offers(
    reading: MarketReading, batches: PriceBatches, markets: list[str], *, since: datetime | None
) -> dict[str, Any]:
    """Read the offers of these markets, and settle prices whose answers were lost or that went out in batches.

    A market that refuses or fails is named and keeps its older reading, on which no price is planned.

    :param since: when this run began: a market that was read since is not read again.
    :return: the listings read and quarantined, what was settled; and the markets that could not be read, as
        ``markets_left``.
    :raises BackMarketError: where it concerns all markets alike.
    """
    # Asked for before reading: what a batch did after its status was read is not missed in the reading.
    statuses = batches.statuses()
    wanted = [market for market in markets if not reading.was_read(market, since)]
    found = reading.read_each(wanted, was_answered=len(wanted) < len(markets))
    settled = settle_prices(reading.connection, reading.account)
    in_batches = batches.settle(statuses)
    read = [market for market in wanted if market not in found.left]
    reading.log.info("Markets read: %s.", ", ".join(read) or "none but home")
    return {
        "listings": found.listings,
        "quarantined": found.quarantined,
        **settled,
        "batch_prices_settled": sum(in_batches.values()) - in_batches["unknown"],
        "markets_left": list(found.left),
    }


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
    ``backmarket_price_decision_days``. A row that cannot be read is refused for its reason. A price whose offer was not
    read within the last half hour is left alone.
    """
    ledger = Ledger(connection, account, "price")
    refused = ledger.refusals(since=now - SAME_REFUSAL_AGAIN)
    counts: Counter[str] = Counter({"prices": 0, "send": 0, "ask": 0, "refuse": 0, "unchanged": 0})
    changes, findings = [], []
    feed, rows = price_rows(connection, account, markets)
    decided_since = now - timedelta(days=settings.price_decision_days)
    decisions = price_approval.decisions(connection, account, markets, decided_since=decided_since)
    ambiguous = _refusals_of_twins(rows)
    for row in rows:
        counts["prices"] += 1
        if (sku_key(row.sku), row.market) in ambiguous:
            counts["refuse"] += 1
            continue
        if now - row.read_at > FRESH:
            counts["not_read"] += 1
            continue
        verdict, change = _decide(row, settings, refused, decisions)
        counts[verdict] += 1
        if change is not None:
            changes.append(change)
        if _is_changed_outside(row):
            detail = f"shows {row.shown}, {row.last_sent} was sent: changed in the Back Office, by BackPricer or "
            findings.append(Finding("price_changed_outside", row.sku, f"{detail}by another integration", row.market))
    with connection.transaction():
        ledger.plan([*changes, *ambiguous.values()], run_id=run_id)
        inventory_prices.record_findings(connection, account, findings)
    return PricePlan({**counts, "price_changed_outside": len(findings)}, feed)


def log_plan(connection: Connection, account: str, counts: dict[str, int], log: Log, *, markets: list[str]) -> int:
    """Log what was planned, and which rows of ``seller.prices`` no plan looks at; return how many these are.

    :param counts: of :func:`plan_prices`.
    """
    log.info("Prices: %s.", ", ".join(f"{name} {number}" for name, number in counts.items()))
    unmatched = unmatched_prices(connection, account, markets)
    for reason, rows, examples in unmatched:
        log.warning("%d rows of seller.prices %s, such as %s.", rows, reason, ", ".join(examples))
    if counts["price_changed_outside"]:
        log.warning(
            "%d prices were changed outside since they were sent: see backmarket.inventory_findings.",
            counts["price_changed_outside"],
        )
    return sum(each.rows for each in unmatched)


def _refusals_of_twins(rows: list[PriceRow]) -> dict[tuple[str, str], PlannedChange]:
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
    row: PriceRow, settings: PriceSettings, refused: Refusals, decisions: Decisions
) -> tuple[Verdict, PlannedChange | None]:
    rules = MARKETS[row.market]
    payload = {"id": str(row.listing_id), "price": None, "currency": rules.currency}
    if isinstance(row.wanted, LeftOut):
        return "refuse", PlannedChange(row.sku, payload, row.market, "refused", row.wanted.reason)
    planned = decide_price(
        row.wanted,
        OfferRow(row.shown, row.max_price, max_price_unreadable=row.max_price_unreadable),
        currency=rules.currency,
        decimals=rules.decimals,
        change_limit_pct=settings.price_change_limit_pct,
    )
    decided = after_decision(planned, decisions.get((row.sku, row.market, row.shown, planned.price)))
    verdict = decided.verdict
    if decided.price is not None:
        payload["price"] = str(decided.price)
    if verdict == "unchanged":
        return verdict, None
    if verdict == "send" and refused.include(row.sku, payload, row.market):
        return "refuse", None
    if verdict == "ask":
        payload["old_price"] = str(row.shown)
    statuses: dict[Verdict, PlannedStatus] = {
        "send": planned_status(dry_run=settings.dry_run),
        "ask": "awaiting_approval",
        "refuse": "refused",
    }
    return verdict, PlannedChange(row.sku, payload, row.market, statuses[verdict], decided.reason or None)


def _is_changed_outside(row: PriceRow) -> bool:
    """Tell whether a market shows another price than was last confirmed here, by a later reading."""
    return (
        row.last_sent is not None
        and row.last_sent_at is not None
        and row.shown != row.last_sent
        and row.read_at > row.last_sent_at
    )
