"""Plans quantities, and sends them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError
from backmarket.rules.hidden_sales import CLOCK_TOLERANCE, SOON_FOR_OTHERS, held_units
from backmarket.rules.inventory import OPEN, is_explained_by_orders, is_mass_zero
from backmarket.rules.sku_map import ListingNow, Shelf, plan_listings
from backmarket.rules.skus import sku_key
from backmarket.services.in_flight import let_arrive
from backmarket.services.item_failures import raise_what_concerns_all
from backmarket.services.offers import settle_by_readings
from backmarket.warehouse import inventory_prices, sku_map
from backmarket.warehouse.inventory_prices import Finding, ShownStock
from backmarket.warehouse.ledger import Ledger, PlannedChange, planned_status
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from backmarket.rules.inventory import Counts, OrderLineRow, QuantityPlan, StockRow
    from backmarket.rules.sku_map import ListingPlan, SkuMap
    from backmarket.services.listing_reading import MarketReading
    from backmarket.services.log import Log
    from backmarket.services.offers import OfferSending
    from backmarket.settings import QuantitySettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.inventory_prices import LinesBySku, Reading
    from backmarket.warehouse.ledger import RecordedChange


# A reading older than this is not fresh: it may lower a quantity, not raise it.
FRESH = timedelta(minutes=30)

SAME_REFUSAL_AGAIN = timedelta(days=1)

# Quantities that moved between plan and write are planned anew and sent in the same run, so many times.
_ROUNDS = 3

_MOST_ROWS_LOGGED = 50
_FOUND = {
    "stock_missing": "without a stock row",
    "held_by_zero_guard": "held by the zero guard",
    "sku_ambiguous": "with an ambiguous SKU",
    "stock_stale": "counted too long ago",
    "count_in_future": "counted in the future",
    "order_state_unknown": "with orders in a state that is not known",
}
_HEADER = ("SKU", "stock", "reserved", "held", "safety", "max", "shown", "to show", "remark")

Plans = list[tuple["ShownStock", "QuantityPlan"]]


class MassZeroError(Exception):
    """The plan would take too many listings offline at once; they were left as they are."""


def refresh_quantities(reading: MarketReading, settings: QuantitySettings, *, in_flight: timedelta) -> dict[str, Any]:
    """Read the listings of the home market, compare them with what was known before, and settle lost answers.

    What was sent last without an answer is waited for before reading: it may still arrive, also after a newer one.

    :param in_flight: how long a request may still be on its way after it was sent.
    :return: the listings read and quarantined, what was settled, quantities raised outside; and the market, as
        ``lists_short``, where its list did not come out whole.
    :raises BackMarketError: where nothing could be read.
    """
    connection, account, home = reading.connection, reading.account, reading.client.config.market
    quantities = Ledger(connection, account, "quantity")
    let_arrive(quantities.unsettled(), in_flight, reading.log)
    read = reading.read(home)
    _, stored, raised = _compare_stored_readings(
        connection, account, settings, now=datetime.now(UTC), ahead=_clock_ahead(reading)
    )
    inventory_prices.record_findings(connection, account, raised)
    for finding in raised:
        reading.log.warning("%s %s. Two integrations on one account sell wrong stock.", finding.sku, finding.detail)
    return {
        "listings": read.listings,
        "quarantined": read.counts["quarantined"],
        **settle_by_readings(
            quantities, quantities.unsettled(), {(str(each.id), ""): (each.quantity, each.read_at) for each in stored}
        ),
        "lists_short": [] if read.is_whole else [home],
        "quantity_changed_outside": len(raised),
    }


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
    findings += [Finding("held_by_zero_guard", sku, "too many SKUs would go to 0 at once") for sku in sorted(held)]
    refused = Ledger(connection, account, "quantity").refusals(since=now - SAME_REFUSAL_AGAIN)
    changes: list[PlannedChange] = []
    rows = []
    for each, plan in plans:
        sku = each.stock.sku
        payload = {"id": str(each.id), "quantity": plan.wanted}
        reason = None
        if plan.wanted != each.shown:
            if sku in held:
                reason = "held: too many SKUs would go to 0 at once"
                changes.append(PlannedChange(sku, payload, status="refused", reason=reason))
            elif refused.include(sku, payload):
                reason = "Back Market refused exactly this less than a day ago"
            else:
                # Whoever sends it must find the listing as it was planned with.
                payload["shown"] = each.shown
                changes.append(PlannedChange(sku, payload, status=planned_status(dry_run=settings.dry_run)))
        elif plan.waits_for_others:
            reason = "other listings of its SKUs are lowered first"
        rows.append((each, plan, reason))
    changes.sort(key=_urgency)
    with connection.transaction():
        Ledger(connection, account, "quantity").plan(changes, run_id=run_id)
        inventory_prices.store_plan(connection, account, rows, now=now)
        inventory_prices.record_findings(connection, account, findings)
        inventory_prices.end_states(connection, account, findings)
    to_send = sum(change.status != "refused" for change in changes)
    return {"skus": len(plans), "to_send": to_send, **Counter(finding.kind for finding in findings)}


def rows_that_count(rows: Iterable[StockRow], settings: QuantitySettings, log: Log) -> list[StockRow]:
    """Return the rows of ``seller.stock`` that count, and tell how many others there are."""
    every = list(rows)
    counting = [row for row in every if settings.stock_policy.counts(row)]
    if others := len(every) - len(counting):
        named = "of a warehouse that backmarket_warehouses does not name: its units do not count"
        log.info("%s of seller.stock %s %s.", counted(others, "row"), "is" if others == 1 else "are", named)
    return counting


def plan_in_words(counts: Mapping[str, int]) -> str:
    """Write what :func:`plan_quantities` returned."""
    findings = {_FOUND.get(name, name): number for name, number in counts.items() if name not in {"skus", "to_send"}}
    planned = f"{counted(counts['skus'], 'SKU')} planned, {counts['to_send']:,} to be sent"
    return f"{planned}; found: {tally(findings)}" if any(findings.values()) else planned


def send_quantities(
    sending: OfferSending,
    settings: QuantitySettings,
    *,
    run_id: str,
    allow_mass_zero: bool,
    prices_too: bool,
    in_flight: timedelta,
) -> None:
    """Send the planned quantities; those that moved since they were planned are planned anew and sent, too.

    :param prices_too: whether planned home prices go along in the requests of their SKUs.
    :param in_flight: how long a request may still be on its way after it was sent.
    :raises BackMarketError: where sending more would fail alike.
    """
    for _ in range(_ROUNDS):
        try:
            again = _send_planned(sending, prices_too=prices_too)
        except BackMarketError as error:
            raise_what_concerns_all(error)
            sending.read_unseen_in_outage(in_flight)
            raise
        again |= sending.read_unseen_again(in_flight)
        if not again:
            break
        plan_quantities(
            sending.connection,
            sending.account,
            settings,
            now=datetime.now(UTC),
            run_id=run_id,
            allow_mass_zero=allow_mass_zero,
        )


def log_summary(connection: Connection, account: str, log: Log) -> int:
    """Log how the quantities came about that are worth a look, and return how many they are.

    :raises MassZeroError: where the zero guard holds some: how many, and how to let them go.
    """
    rows = inventory_prices.plan_summary(connection, account, most=_MOST_ROWS_LOGGED)
    for row in [_HEADER, *rows]:
        cells = ["" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
        log.info("%-24s %8s %8s %6s %6s %6s %6s %8s  %s", *cells)
    if held := inventory_prices.held_by_guard(connection, account):
        raise MassZeroError(
            f"The plan would zero {counted(held, 'live SKU')} at once, more than backmarket_zero_guard_pct allows, and "
            "no orders in a state that is known explain it. They are left as they are; everything else was sent. If "
            "the plan is right, trigger this DAG with allow_mass_zero; if not, repair seller.stock, or look at the "
            "orders that findings of order_state_unknown name: the next run sees it."
        )
    return len(rows)


def _send_planned(sending: OfferSending, *, prices_too: bool) -> bool:
    """Send what is planned, and tell whether some of it is to be planned anew."""
    prices = {}
    if prices_too:
        # By the listing: the seller's tables may spell its SKU in several ways.
        prices = {each.payload["id"]: each for each in sending.prices.planned() if each.market == sending.home}
    again = False
    for change in sending.failures.each(sorted(sending.quantities.planned(), key=_urgency)):
        outcome = sending.send_quantity(change, prices.get(change.payload["id"]))
        if outcome == "waits":
            return False
        again |= outcome == "again"
    return again


def _urgency(change: PlannedChange | RecordedChange) -> tuple[bool, int]:
    """Sort stock-outs first, then the lowest quantities."""
    quantity = change.payload["quantity"]
    return quantity > 0, quantity


def _clock_ahead(reading: MarketReading) -> timedelta:
    """Return how far Back Market's clock is ahead of ours, and say so where one of the two must be wrong."""
    ahead = reading.client.clock_ahead
    if abs(ahead) > CLOCK_TOLERANCE:
        reading.log.warning(
            "Back Market's clock is %s %s this machine's. Set this machine's right: units that go are matched by time "
            "with the orders that took them.",
            counted(round(abs(ahead.total_seconds())), "second"),
            "ahead of" if ahead > timedelta(0) else "behind",
        )
    return ahead


def _compare_stored_readings(
    connection: Connection,
    account: str,
    settings: QuantitySettings,
    *,
    now: datetime,
    ahead: timedelta = timedelta(0),
) -> tuple[LinesBySku, list[Reading], list[Finding]]:
    """Compare what listings show by their newest readings with what was known before them.

    :param ahead: how far Back Market's clock is ahead of ours.

    :return: order lines that may matter, the readings, and findings about quantities that others raised.
    """
    hold = timedelta(hours=settings.pending_hold_hours)
    lag = settings.stock_policy.intake_lag
    lines = inventory_prices.lines_by_sku(connection, account, now=now, hold=hold, intake_lag=lag)
    readings = inventory_prices.stored_readings(connection, account)
    raised = inventory_prices.compare_readings(
        connection, account, readings, lines, since=now - hold, now=now, ahead=ahead, soon=SOON_FOR_OTHERS
    )
    return lines, readings, raised


def _all_plans(
    connection: Connection, account: str, settings: QuantitySettings, *, now: datetime
) -> tuple[Plans, list[Finding]]:
    policy, hold = settings.stock_policy, timedelta(hours=settings.pending_hold_hours)
    lines, readings, findings = _compare_stored_readings(connection, account, settings, now=now)
    drops = inventory_prices.drops_by_listing(connection, account, since=now - hold)
    counts = inventory_prices.counts_of(inventory_prices.stock_rows(connection, account), policy)
    feeding = sku_map.read(connection, account).sku_map
    shown: dict[str, list[Reading]] = defaultdict(list)
    for each in readings:
        shown[sku_key(each.sku)].append(each)
    now_of = {}
    for sku, own in shown.items():
        gone = [(drops[each.id], lines.get(sku, [])) for each in own if each.id in drops]
        now_of[sku] = ListingNow(
            shown=sum(each.quantity for each in own),
            held=sum(held_units(of_listing, of_sku, now=now, hold=hold) for of_listing, of_sku in gone),
            may_raise=all(now - each.read_at <= FRESH for each in own),
        )
    planned = plan_listings(Shelf(counts.by_sku, feeding, policy), now_of, lines, policy, now=now)
    findings += _ambiguous(shown, planned, counts, feeding)
    findings += _without_stock(shown, planned, counts, feeding)
    findings += [_sold_below_zero(each, lines.get(sku_key(each.sku), [])) for each in readings if each.quantity < 0]
    findings += _in_unknown_states(lines, planned)
    plans: Plans = []
    for sku, (stock, plan, fed_by) in planned.items():
        if len(shown[sku]) > 1:
            continue
        (reading,) = shown[sku]
        # By the listing, whatever feeds it or fed it once: the plan has one row of each name. As the seller spells it,
        # where it is counted under its own name.
        name = reading.sku if fed_by or sku not in counts.by_sku else counts.by_sku[sku].sku
        listing = ShownStock(replace(stock, sku=name), reading.id, reading.quantity, fed_by)
        plans.append((listing, plan))
        findings += _remarks(listing, plan)
    return plans, findings


def _ambiguous(
    shown: Mapping[str, Sequence[Reading]], planned: Collection[str], counts: Counts, feeding: SkuMap
) -> Iterator[Finding]:
    for sku, rows in counts.ambiguous.items():
        if shown.keys().isdisjoint(feeding.listings_of(sku)):
            continue
        detail = (
            f"{rows:,} rows of seller.stock share this SKU, and its warehouse if they name one: none of them is used"
        )
        yield Finding("sku_ambiguous", sku, detail)
    for sku, own in shown.items():
        if len(own) > 1 and sku in planned:
            yield Finding("sku_ambiguous", sku, f"{len(own):,} listings share this SKU: none is changed")


def _without_stock(
    shown: Mapping[str, Sequence[Reading]], planned: Collection[str], counts: Counts, feeding: SkuMap
) -> Iterator[Finding]:
    for sku, own in shown.items():
        feeders = feeding.feeders_of(sku)
        if sku in planned or not counts.ambiguous.keys().isdisjoint(feeders):
            continue
        if sku in feeding.unusable:
            why = "seller.sku_map has a row of this SKU that cannot be used"
        elif feeders.keys() - {sku}:
            why = f"seller.stock has no row that can be used of {', '.join(sorted(feeders))}, which feed it"
        else:
            why = "seller.stock has no row that can be used"
        yield from (Finding("stock_missing", each.sku, f"{why}: the listing is left alone") for each in own)


def _remarks(each: ShownStock, plan: QuantityPlan) -> list[Finding]:
    found = []
    if plan.stock < 0:
        detail = f"seller.stock counts {plan.stock}: 0 is shown; more was booked out than was there, so check the shelf"
        found.append(Finding("count_below_zero", each.stock.sku, detail))
    if plan.is_stale:
        detail = f"counted at {each.stock.counted_at:%Y-%m-%d %H:%M} UTC: too old to raise what is shown"
        found.append(Finding("stock_stale", each.stock.sku, detail))
    if plan.ahead:
        minutes = round(plan.ahead.total_seconds() / 60)
        detail = (
            f"counted {counted(minutes, 'minute')} in the future: is it local time, written as UTC? It raises nothing"
        )
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


def _in_unknown_states(lines: LinesBySku, planned: Mapping[str, ListingPlan]) -> Iterator[Finding]:
    """Report SKUs with order lines in states that this version does not know, and how many units these reserve."""
    for sku, of_sku in lines.items():
        odd = sorted((each for each in of_sku if not each.is_state_known), key=lambda each: -each.order_id)
        if not odd:
            continue
        states = ", ".join(map(str, sorted({each.state for each in odd})))
        orders = ", ".join(map(str, list(dict.fromkeys(each.order_id for each in odd))[:5]))
        units = planned[sku].plan.of_unknown_states if sku in planned else 0
        reserved = (
            f"{counted(units, 'unit')} {'stays' if units == 1 else 'stay'} reserved" if units else "none reserved"
        )
        what = f"{counted(len(odd), 'order line')} in state {states}, which this version does not know"
        yield Finding("order_state_unknown", odd[0].sku, f"{what}: {reserved}; newest orders: {orders}")


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
