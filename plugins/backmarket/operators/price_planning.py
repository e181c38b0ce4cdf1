"""Makes and records the plan of all prices."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from backmarket.rules.prices import OfferRow, WantedPrice, decide_price
from backmarket.warehouse import inventory, sql
from backmarket.warehouse.inventory import Finding
from backmarket.warehouse.ledger import Ledger, PlannedChange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from backmarket.settings import PriceSettings
    from backmarket.warehouse.connection import Connection

SAME_REFUSAL_AGAIN = timedelta(days=1)
# What a market showed longer ago says nothing: as where it could not be read by this run.
FRESH = timedelta(minutes=30)


def plan_prices(
    connection: Connection,
    account: str,
    settings: PriceSettings,
    *,
    markets: list[str],
    now: datetime,
    run_id: str,
) -> dict[str, int]:
    """Plan the prices of these markets from what is stored, and record them.

    A large move waits for a person; what a person decided about exactly this move, old price and new, holds. A price
    whose offer was not read within the last half hour is left alone.

    :return: prices looked at, and how many are sent, refused, unchanged and asked.
    """
    refused = inventory.refused_lately(connection, account, "price", since=now - SAME_REFUSAL_AGAIN)
    counts: Counter[str] = Counter({"prices": 0, "send": 0, "ask": 0, "refuse": 0, "unchanged": 0})
    changes, findings = [], []
    found = connection.execute(sql.statement("prices/select_prices"), {"account": account, "markets": markets})
    rows = list(_named(found))
    ambiguous = _refusals_of_twins(rows)
    for row in rows:
        counts["prices"] += 1
        if (row["sku"].lower(), row["market"]) in ambiguous:
            counts["refuse"] += 1
            continue
        if now - row["read_at"] > FRESH:
            counts["not_read"] += 1
            continue
        verdict, change = _decide(row, settings, refused)
        counts[verdict] += 1
        if change is not None:
            changes.append(change)
        if _changed_outside(row):
            detail = f"shows {row['shown']}, {row['last_sent']} was sent: changed in the Back Office, by BackPricer or "
            findings.append(
                Finding("price_changed_outside", row["sku"], f"{detail}by another integration", row["market"])
            )
    with connection.transaction():
        Ledger(connection, account, "price").plan([*changes, *ambiguous.values()], run_id=run_id)
        inventory.record_findings(connection, account, findings)
    return {**counts, "price_changed_outside": len(findings)}


def _refusals_of_twins(rows: list[dict[str, Any]]) -> dict[tuple[str, str], PlannedChange]:
    """Refuse, once each, SKUs with several prices for a market, or several listings: they would take turns.

    :return: by SKU in lower case, as Back Market takes it, and market.
    """
    pairs = Counter((row["sku"].lower(), row["market"]) for row in rows)
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
    row: dict[str, Any], settings: PriceSettings, refused: dict[tuple[str, str], Any]
) -> tuple[str, PlannedChange | None]:
    from backmarket.api.markets import MARKETS

    sku, market = row["sku"], row["market"]
    wanted = WantedPrice(sku, market, row["price"], row["currency"], row["min_price"])
    rules = MARKETS[market]
    decision = decide_price(
        wanted,
        OfferRow(row["shown"], row["max_price"], max_price_unreadable=row["max_price_unreadable"]),
        currency=rules.currency,
        decimals=rules.decimals,
        change_limit_pct=settings.price_change_limit_pct,
    )
    payload = {"id": str(row["id"]), "price": decision.price and str(decision.price), "currency": rules.currency}
    verdict = decision.verdict
    reason: str | None = decision.reason or None
    if verdict == "ask" and row["decision"] == "approved":
        verdict, reason = "send", None
    elif verdict == "ask" and row["decision"] in {"refused", "expired"}:
        how = "a person refused it" if row["decision"] == "refused" else "nobody approved it in time"
        verdict, reason = "refuse", f"{decision.reason}: {how}"
    elif verdict == "ask":
        payload["old_price"] = str(row["shown"])
    if verdict == "send" and refused.get((sku, market)) == payload:
        return "refuse", None
    if verdict == "unchanged":
        return verdict, None
    status = {"send": "planned", "ask": "awaiting_approval", "refuse": "refused"}[verdict]
    if settings.dry_run and verdict == "send":
        status = "dry_run"
    return verdict, PlannedChange(sku, payload, market, status, reason)  # type: ignore[arg-type]


def _changed_outside(row: dict[str, Any]) -> bool:
    """Tell whether a market shows another price than was last confirmed here, by a later reading."""
    return bool(
        row["last_sent"] is not None and row["shown"] != row["last_sent"] and row["read_at"] > row["last_sent_at"]
    )


def _named(cursor: Any) -> Iterable[dict[str, Any]]:
    names = [column.name for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)
