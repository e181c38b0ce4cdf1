"""What planning quantities reads and stores: stock, order lines, what listings showed, findings."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args
from uuid import UUID  # noqa: TC003 - read at run time by the dataclasses

from backmarket.rules.hidden_sales import SOON, Baseline, Drop, is_too_early, observe
from backmarket.rules.inventory import OrderLineRow, QuantityPlan, StockRow, counts_by_sku
from backmarket.rules.skus import sku_key
from backmarket.warehouse import feeds, sql
from backmarket.warehouse import sku_map as map_store
from backmarket.warehouse.jsonb import dump
from backmarket.warehouse.seller_rows import STOCK, UnreadableError, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backmarket.rules.inventory import Counts, StockPolicy
    from backmarket.rules.sku_map import Feeder
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import SellerRows

FindingKind = Literal[
    "stock_missing",
    "stock_stale",
    "stock_without_listing",
    "price_without_listing",
    "count_below_zero",
    "count_in_future",
    "promised_too_much",
    "sold_below_zero",
    "order_state_unknown",
    "sku_ambiguous",
    "held_by_zero_guard",
    "quantity_changed_outside",
    "price_changed_outside",
]
# What was changed outside is an event, and stays; all others are states, which end. A plan of quantities finds these.
STATES = [kind for kind in get_args(FindingKind) if not kind.endswith(("_changed_outside", "_without_listing"))]

LinesBySku = dict[str, list[OrderLineRow]]

# Where nothing is held, all lines since then are read at once; those of SKUs that were counted earlier, by SKU.
_RECENTLY = timedelta(days=1)


class ShownStock(NamedTuple):
    """A listing with stock.

    :param fed_by: the SKUs of the seller that its units come from; empty where that is the one of its name alone.
    """

    stock: StockRow
    id: UUID
    shown: int
    fed_by: Sequence[Feeder] = ()


class Finding(NamedTuple):
    """What a person should know."""

    kind: FindingKind
    sku: str
    detail: str
    market: str = ""


@dataclass(frozen=True)
class Reading:
    """What a listing showed."""

    id: UUID
    sku: str
    quantity: int
    read_at: datetime


def stock_rows(connection: Connection, account: str, *, sku_keys: Iterable[str] | None = None) -> SellerRows[StockRow]:
    """Return the rows of ``seller.stock``, by SKU; one has several where there are several warehouses.

    :param sku_keys: the SKUs that are wanted, as :func:`sku_key` gives them; None for all.
    """
    parameters = {"account": account, "sku_keys": None if sku_keys is None else list(sku_keys)}
    return STOCK.read(feeds.select(connection, STOCK.table, sql.statement("inventory_prices/select_stock"), parameters))


def counts_of(stock: SellerRows[StockRow], policy: StockPolicy) -> Counts:
    """Add up what was read of ``seller.stock``; rows that cannot be read put those of the same place in doubt."""
    documents = [each.document for each in stock.left_out]
    unread = [(sku, document["warehouse"]) for document in documents if (sku := document["sku"]) is not None]
    return counts_by_sku(stock.rows, policy, unread)


def lines_by_sku(
    connection: Connection,
    account: str,
    *,
    now: datetime,
    hold: timedelta,
    intake_lag: timedelta,
    sku: str | None = None,
) -> LinesBySku:
    """Return the order lines that may matter, by :func:`sku_key`: of each SKU, those that its count cannot know of.

    :param sku: the only one that is wanted, in any spelling; None for all.
    """
    since = now - (2 * hold or _RECENTLY)
    older = {
        key: known - intake_lag
        for key, known in _known_until(connection, account, sku).items()
        if known - intake_lag < since
    }
    found: LinesBySku = defaultdict(list)
    parameters = {
        "account": account,
        "since": since,
        "sku": sku,
        "keys": list(older),
        "sinces": list(older.values()),
    }
    for line in connection.execute(sql.statement("inventory_prices/select_lines"), parameters):
        found[sku_key(line[2])].append(OrderLineRow(*line))
    return found


def stored_readings(connection: Connection, account: str) -> list[Reading]:
    """Return what all listings show by their newest readings."""
    return [
        Reading(*row)
        for row in connection.execute(sql.statement("inventory_prices/select_readings"), {"account": account})
    ]


def gone_listings(connection: Connection, account: str, wanted: Sequence[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Return which of some listings Back Market serves no more.

    :param wanted: each with its market; empty for what all markets share.
    """
    parameters = {"account": account, "ids": [each[0] for each in wanted], "markets": [each[1] for each in wanted]}
    rows = connection.execute(sql.statement("inventory_prices/select_gone"), parameters)
    return {(listing_id, market) for listing_id, market in rows}


def drops_by_listing(connection: Connection, account: str, *, since: datetime) -> dict[UUID, list[Drop]]:
    """Return the units that went from listings since a moment."""
    found: dict[UUID, list[Drop]] = defaultdict(list)
    for row in connection.execute(sql.statement("inventory_prices/select_drops"), {"account": account, "since": since}):
        found[row[0]].append(Drop(*row[1:]))
    return found


def compare_readings(
    connection: Connection,
    account: str,
    readings: Iterable[Reading],
    lines: LinesBySku,
    *,
    since: datetime,
    now: datetime,
    ahead: timedelta = timedelta(0),
    soon: timedelta = SOON,
) -> list[Finding]:
    """Compare readings with what was known before them, and store what follows from them, in one transaction.

    :param now: after all of them were answered.
    :param ahead: how far Back Market's clock is ahead of ours.
    :param since: drops before this are forgotten, and so are creations that were not read since.
    :param soon: as for :func:`~backmarket.rules.hidden_sales.observe`.
    :return: findings about quantities that others raised.
    """
    findings = []
    readings = list(readings)
    with connection.transaction():
        parameters = {"account": account, "ids": [reading.id for reading in readings]}
        rows = connection.execute(sql.statement("inventory_prices/select_baselines"), parameters)
        baselines = {row[0]: Baseline(*row[1:]) for row in rows}
        never_read = [reading for reading in readings if reading.id not in baselines]
        created = _created(connection, account, never_read, since=since)
        drops = drops_by_listing(connection, account, since=since)
        shown = []
        for reading in readings:
            baseline = baselines.get(reading.id) or created.get(sku_key(reading.sku))
            if baseline is not None and (
                reading.read_at <= baseline.at or is_too_early(baseline, reading.quantity, reading.read_at, soon=soon)
            ):
                # Nothing follows from it; what is being sent may still come, until its sender settles it.
                continue
            before = drops.get(reading.id, [])
            of_sku = lines.get(sku_key(reading.sku), [])
            seen = observe(baseline, reading.quantity, reading.read_at, before, of_sku, now=now, ahead=ahead, soon=soon)
            shown.append((reading.id, reading.quantity, reading.read_at))
            if list(seen.drops) != before:
                _replace_drops(connection, account, reading.id, seen.drops)
            if seen.raised_outside:
                findings.append(
                    Finding(
                        "quantity_changed_outside",
                        reading.sku,
                        f"shows {reading.quantity}, {seen.raised_outside} more than was sent or came back: changed in "
                        "the Back Office or by another integration",
                    )
                )
        record_shown_quantities(connection, account, shown)
    return findings


def record_sent_quantity(connection: Connection, account: str, listing_id: UUID, quantity: int) -> None:
    """Record that a listing may show this quantity from now on.

    To be called in the transaction that marks the change as sent, and again after a reading that was too early to tell.
    """
    _set_sent_quantity(connection, account, listing_id, quantity)


def forget_sent_quantity(connection: Connection, account: str, listing_id: UUID) -> None:
    """Record that the quantity which was being sent surely had no effect."""
    _set_sent_quantity(connection, account, listing_id, None)


def record_shown_quantities(connection: Connection, account: str, shown: Sequence[tuple[UUID, int, datetime]]) -> None:
    """Record what listings show, because they were read or because Back Market confirmed it.

    :param shown: each listing once, its units, and when they were shown.
    """
    ids, quantities, moments = (list(column) for column in zip(*shown, strict=True)) if shown else ([], [], [])
    parameters = {"account": account, "ids": ids, "quantities": quantities, "moments": moments}
    connection.execute(sql.statement("inventory_prices/upsert_baselines"), parameters)


def store_plan(
    connection: Connection,
    account: str,
    plans: Iterable[tuple[ShownStock, QuantityPlan, str | None]],
    *,
    now: datetime,
) -> None:
    """Replace the arithmetic of all SKUs."""
    connection.execute(sql.statement("inventory_prices/delete_inventory"), {"account": account})
    with connection.cursor() as cursor, cursor.copy(sql.statement("inventory_prices/copy_inventory")) as copy:
        for each, plan, reason in plans:
            limits = (plan.safety_qty, plan.max_qty, plan.sellable, each.shown, plan.wanted)
            fed_by = dump([feeder._asdict() for feeder in each.fed_by]) if each.fed_by else None
            copy.write_row(
                (account, each.stock.sku, each.id, plan.stock, plan.reserved, plan.held, *limits, reason, now, fed_by)
            )


def record_findings(connection: Connection, account: str, findings: Iterable[Finding]) -> None:
    """Record findings; one that was recorded before keeps the moment of its first time."""
    newest = {(finding.kind, finding.sku, finding.market): finding.detail for finding in findings}
    if not newest:
        return
    kinds, skus, markets = (list(column) for column in zip(*newest, strict=True))
    parameters = {"kinds": kinds, "skus": skus, "markets": markets, "details": list(newest.values())}
    connection.execute(sql.statement("inventory_prices/upsert_findings"), {"account": account, **parameters})


def end_states(
    connection: Connection, account: str, findings: Iterable[Finding], *, kinds: Sequence[FindingKind] = STATES
) -> None:
    """Forget the states of these kinds that were not found any more.

    :param findings: all that were found.
    """
    keys = [f"{finding.kind}/{finding.sku}" for finding in findings]
    parameters = {"account": account, "kinds": list(kinds), "keys": keys}
    connection.execute(sql.statement("inventory_prices/delete_ended_findings"), parameters)


def plan_summary(connection: Connection, account: str, *, most: int) -> list[tuple[Any, ...]]:
    """Return the arithmetic of the SKUs that differ or hold units back, most interesting first.

    :return: SKU, stock, reserved, held, safety, max, shown, wanted and remark of each.
    """
    parameters = {"account": account, "most": most}
    return connection.execute(sql.statement("inventory_prices/select_summary"), parameters).fetchall()


def held_by_guard(connection: Connection, account: str) -> int:
    """Return how many SKUs the zero guard holds."""
    row = connection.execute(sql.statement("inventory_prices/count_held_by_guard"), {"account": account}).fetchone()
    return int(row[0]) if row else 0


def _known_until(connection: Connection, account: str, sku: str | None) -> dict[str, datetime]:
    """Return, by :func:`sku_key` of the listing, the earliest moment that can be read of the counts that feed it."""
    if sku is None:
        feeding, keys = map_store.read(connection, account).sku_map, None
    else:
        feeding, keys = None, map_store.feeders_of(connection, account, sku)
    known: dict[str, datetime] = {}
    statement = sql.statement("inventory_prices/select_known_moments")
    for key, *texts in feeds.select(connection, STOCK.table, statement, {"account": account, "sku_keys": keys}):
        listings = {sku_key(sku or "")} if feeding is None else {*feeding.listings_of(key), *feeding.once_of(key)}
        for column, text in zip(("counted_at", "orders_known_until"), texts, strict=True):
            with suppress(UnreadableError):
                at = moment(column, text or "")
                known.update({listing: min(at, known.get(listing, at)) for listing in listings})
    return known


def _created(
    connection: Connection, account: str, readings: Iterable[Reading], *, since: datetime
) -> dict[str, Baseline]:
    """Return, by :func:`sku_key`, what listings that were never read before were created with from here.

    A sale before the first reading is hidden in that reading, and shows only beside what was sent.
    """
    keys = [sku_key(reading.sku) for reading in readings]
    if not keys:
        return {}
    parameters = {"account": account, "keys": keys, "since": since}
    rows = connection.execute(sql.statement("inventory_prices/select_created"), parameters)
    return {key: Baseline(quantity, sent_at) for key, quantity, sent_at in rows}


def _replace_drops(connection: Connection, account: str, listing_id: UUID, drops: Iterable[Drop]) -> None:
    key = {"account": account, "id": listing_id}
    connection.execute(sql.statement("inventory_prices/delete_drops"), key)
    for drop in drops:
        parameters = {**key, "seen_from": drop.seen_from, "seen_at": drop.seen_at, "units": drop.units}
        connection.execute(sql.statement("inventory_prices/insert_drop"), parameters)


def _set_sent_quantity(connection: Connection, account: str, listing_id: UUID, quantity: int | None) -> None:
    parameters = {"account": account, "id": listing_id, "quantity": quantity}
    connection.execute(sql.statement("inventory_prices/set_sent_quantity"), parameters)
