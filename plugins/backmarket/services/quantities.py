"""Plans quantities, and sends them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backmarket.rules.hidden_sales import held_units
from backmarket.rules.inventory import OPEN, is_explained_by_orders, is_mass_zero, plan_quantity
from backmarket.rules.skus import sku_key
from backmarket.warehouse import inventory_prices
from backmarket.warehouse.inventory_prices import Finding
from backmarket.warehouse.ledger import Ledger, PlannedChange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from backmarket.rules.inventory import OrderLineRow, QuantityPlan
    from backmarket.services.offers import OfferUpload
    from backmarket.settings import QuantitySettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.inventory_prices import Reading, ShownStock


# A reading older than this is not fresh: it may lower a quantity, not raise it.
FRESH = timedelta(minutes=30)

SAME_REFUSAL_AGAIN = timedelta(days=1)

Plans = list[tuple["ShownStock", "QuantityPlan"]]


def plan_quantities(
    connection: Connection,
    account: str,
    settings: QuantitySettings,
    *,
    now: datetime,
    run_id: str,
    allow_mass_zero: bool,
) -> dict[str, int]:
    """Plan all quantities from what is stored, and record plan, arithmetic and findings in one transaction.

    The readings that are planned with are first compared with what was known before them: another DAG may store a
    reading at any time, and a sale that only the plan saw would be sold again.

    :return: SKUs planned, to be sent, held by the zero guard, and findings by kind.
    """
    plans, findings = _all_plans(connection, account, settings, now=now)
    held = _held_by_guard(plans, settings, allow_mass_zero=allow_mass_zero)
    findings += [Finding("held_by_zero_guard", sku, "the feed zeroes too many SKUs at once") for sku in sorted(held)]
    refused = Ledger(connection, account, "quantity").refusals(since=now - SAME_REFUSAL_AGAIN)
    changes: list[PlannedChange] = []
    rows = []
    for each, plan in plans:
        payload = {"id": str(each.id), "quantity": plan.wanted}
        reason = None
        if plan.wanted != each.shown:
            if each.stock.sku in held:
                reason = "held: the feed zeroes too many SKUs at once"
                changes.append(PlannedChange(each.stock.sku, payload, status="refused", reason=reason))
            elif refused.include(each.stock.sku, payload):
                reason = "Back Market refused exactly this less than a day ago"
            else:
                status = "dry_run" if settings.dry_run else "planned"
                changes.append(PlannedChange(each.stock.sku, payload, status=status))  # type: ignore[arg-type]
        rows.append((each, plan, reason))
    changes.sort(key=lambda change: (change.payload["quantity"] > 0, change.payload["quantity"]))
    with connection.transaction():
        Ledger(connection, account, "quantity").plan(changes, run_id=run_id)
        inventory_prices.keep_plan(connection, account, rows, now=now)
        inventory_prices.record_findings(connection, account, findings)
        inventory_prices.end_states(connection, account, findings)
    to_send = sum(change.status != "refused" for change in changes)
    return {"skus": len(plans), "to_send": to_send, **Counter(finding.kind for finding in findings)}


def _all_plans(
    connection: Connection, account: str, settings: QuantitySettings, *, now: datetime
) -> tuple[Plans, list[Finding]]:
    policy, hold = settings.stock_policy, timedelta(hours=settings.pending_hold_hours)
    lines = inventory_prices.lines_by_sku(connection, account, now=now, hold=hold, intake_lag=policy.intake_lag)
    readings = inventory_prices.stored_readings(connection, account)
    findings = inventory_prices.note_readings(connection, account, readings, lines, since=now - hold)
    drops = inventory_prices.drops_by_listing(connection, account, since=now - hold)
    shown: dict[str, list[ShownStock]] = defaultdict(list)
    with_stock, missing = inventory_prices.shown_stock(connection, account, readings)
    for each in with_stock:
        shown[sku_key(each.stock.sku)].append(each)
    left_alone = "seller.stock has no row that can be used: the listing is left alone"
    findings += [Finding("stock_missing", sku, left_alone) for sku in missing]
    findings += [_sold_below_zero(each, lines.get(sku_key(each.sku), [])) for each in readings if each.quantity < 0]
    plans: Plans = []
    for sku, candidates in shown.items():
        if len(candidates) > 1:
            detail = f"{len(candidates)} pairs of stock row and listing share this SKU: none is changed"
            findings.append(Finding("sku_ambiguous", sku, detail))
            continue
        (each,) = candidates
        own = lines.get(sku, [])
        gone = drops.get(each.id)
        plan = plan_quantity(
            each.stock,
            own,
            policy,
            held=held_units(gone, own, now=now, hold=hold) if gone else 0,
            shown_now=each.shown,
            may_raise=now - each.read_at <= FRESH,
            now=now,
        )
        plans.append((each, plan))
        findings += _remarks(each, plan)
    return plans, findings


def _remarks(each: ShownStock, plan: QuantityPlan) -> list[Finding]:
    found = []
    if plan.is_stale:
        detail = f"counted at {each.stock.counted_at:%Y-%m-%d %H:%M} UTC: too old to raise what is shown"
        found.append(Finding("stock_stale", each.stock.sku, detail))
    if plan.ahead:
        minutes = round(plan.ahead.total_seconds() / 60)
        detail = f"counted {minutes} minutes in the future: is it local time, written as UTC? It raises nothing"
        found.append(Finding("count_in_future", each.stock.sku, detail))
    if plan.reserved + plan.held > max(0, plan.stock):
        detail = f"{plan.reserved + plan.held} units are promised, {plan.stock} were counted"
        found.append(Finding("promised_too_much", each.stock.sku, detail))
    return found


def _sold_below_zero(reading: Reading, lines: Iterable[OrderLineRow]) -> Finding:
    """Report a listing that sold a unit more often than it had it, with the newest orders that may be meant."""
    open_lines = sorted((line for line in lines if line.state in OPEN), key=lambda line: -line.order_id)
    orders = ", ".join(str(order_id) for order_id in list(dict.fromkeys(each.order_id for each in open_lines))[:5])
    detail = f"Back Market shows {reading.quantity}: it sold more than there was"
    return Finding("sold_below_zero", reading.sku, f"{detail}; its newest open orders: {orders or 'none known yet'}")


def _held_by_guard(plans: Plans, settings: QuantitySettings, *, allow_mass_zero: bool) -> set[str]:
    """Return the SKUs that the guard keeps from going to zero; those that orders explain go."""
    live = sum(each.shown > 0 for each, _ in plans)
    zeroings = {
        each.stock.sku
        for each, plan in plans
        if each.shown > 0 and plan.wanted == 0 and not is_explained_by_orders(plan)
    }
    if allow_mass_zero or not is_mass_zero(len(zeroings), live, settings.zero_guard_pct):
        return set()
    return zeroings


# What moved between plan and write is planned anew and sent in the same run, so many times.
ROUNDS = 3


def _send_all(upload: OfferUpload, *, prices_too: bool) -> bool:
    """Send what is planned, and tell whether some of it is to be planned anew."""
    changes = upload.quantities.planned()
    changes.sort(key=lambda change: (change.payload["quantity"] > 0, change.payload["quantity"]))
    shown = upload.shown_in_plan(changes)
    prices = {}
    if prices_too:
        prices = {change.subject: change for change in upload.prices.planned() if change.market == upload.home}
    again = False
    for change in upload.failures.each(changes):
        outcome = upload.send_quantity(change, shown.get(change.subject), prices.get(change.subject))
        if outcome == "waits":
            return False
        again |= outcome == "again"
    return again


def _plan_anew(upload: OfferUpload, settings: QuantitySettings, context: Context) -> None:

    plan_quantities(
        upload.connection,
        upload.account,
        settings,
        now=datetime.now(UTC),
        run_id=context["run_id"],
        allow_mass_zero=bool((context["dag_run"].conf or {}).get("allow_mass_zero")),
    )
