"""Decides, for each price that the seller wants, where it goes in the competition for the BackBox."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from backmarket.api.markets import MARKETS
from backmarket.rules.prices import other_currency
from backmarket.rules.profit import costs_by_sku
from backmarket.rules.repricing import Move, Situation, Terms, decide_move
from backmarket.rules.skus import sku_key
from backmarket.services.prices import FRESH, offers_to_price
from backmarket.warehouse import repricing, sku_map
from backmarket.warehouse.feeds import FeedUnusableError
from backmarket.warehouse.profit import (
    cost_rows,
    device_cost_rows,
    fx_rate_rows,
    vat_rate_rows,
    without_differing,
)
from backmarket.warehouse.repricing import Decided, Moves
from backmarket.warehouse.seller_rows import DEVICE_COSTS, FX_RATES, STOCK, VAT_RATES, LeftOut
from backmarket.words import counted, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from backmarket.rules.prices import WantedPrice
    from backmarket.rules.profit import CostRow
    from backmarket.rules.sku_map import SkuMap
    from backmarket.services.log import Log
    from backmarket.settings import RepricingSettings, SaleCostSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.prices import PriceRow
    from backmarket.warehouse.repricing import Competition
    from backmarket.warehouse.seller_rows import SellerRows

T = TypeVar("T")

_MOST_LOGGED = 50
_WORDS = {"move": "to be moved", "ask": "to be approved by a person", "hold": "left as they are"}
_NO_COST = "no cost is known: fill seller.costs"
_NO_MOVES = Moves([], [])


class Decisions(NamedTuple):
    """What was decided.

    :param counts: prices looked at, and how many move, are asked for and stay.
    :param feeds: the rows of the seller's tables that say what a sale costs.
    :param unusable: those of these tables that cannot be read at all: what needs them stays.
    """

    counts: dict[str, int]
    feeds: tuple[SellerRows[Any], ...]
    unusable: list[str]


@dataclass(frozen=True)
class SaleCosts:
    """What sales cost, by SKU and market.

    :param units: rows of ``seller.costs``, by :func:`~backmarket.rules.skus.sku_key`; None where rows of a SKU differ.
    :param unread: SKUs with a row there that cannot be read: the others of such a SKU may be wrong, too.
    :param counted: SKUs of the names of listings that others feed which ``seller.stock`` counts; None: it cannot be
        read.
    :param feeding: which of the seller's SKUs a unit of a listing takes, and how many.
    :param rates: of exchange, by the two currencies, None where nobody says so; None where the table cannot be read.
    :param vat: in per cent, by market, None where nobody says so; None where the table cannot be read.
    :param commissions: in per cent, by SKU, as the newest orders show them.
    :param fees: in per cent, by market, as statements show them.
    :param otherwise: what holds where no order or statement tells.
    """

    units: Mapping[str, CostRow | None]
    unread: Collection[str]
    feeding: SkuMap
    counted: Collection[str] | None
    rates: Mapping[tuple[str, str], Decimal | None] | None
    vat: Mapping[str, Decimal | None] | None
    commissions: Mapping[str, Decimal]
    fees: Mapping[str, Decimal]
    otherwise: SaleCostSettings

    def terms(self, row: PriceRow) -> Terms | str:
        """Return what a sale of a listing costs in a market, or why nobody can say.

        Nobody knows which of the SKUs that feed a listing will be picked: it costs what the dearest does.
        """
        known = self._costs_of_feeders(row.sku)
        if isinstance(known, str):
            return known
        needed = MARKETS[row.market].currency
        costs = []
        for unit, each in known:
            if unit.currency != needed and self.rates is None:
                return f"{FX_RATES.table}, which says what {unit.currency} is in {needed}, cannot be read"
            rate = Decimal(1) if unit.currency == needed else (self.rates or {}).get((unit.currency, needed))
            if rate is None:
                return f"no rate from {unit.currency} to {needed} is known: fill seller.fx_rates"
            costs.append(unit.unit_cost * each * rate)
        if self.vat is None:
            return f"{VAT_RATES.table}, which may say VAT of {row.market}, cannot be read"
        vat_pct = self.vat.get(row.market)
        if vat_pct is None:
            return f"no VAT of {row.market} is known: fill seller.vat_rates"
        return Terms(
            max(costs),
            "standard" if any(unit.vat_scheme == "standard" for unit, _ in known) else "margin",
            vat_pct,
            self.commissions.get(sku_key(row.sku), self.otherwise.commission_pct),
            self.fees.get(row.market, self.otherwise.fees_pct),
        )

    def _costs_of_feeders(self, listing: str) -> list[tuple[CostRow, int]] | str:
        """Return the costs of all SKUs that feed a listing, with how many of each it takes, or which one is not known.

        The SKU of its own name may be the name alone, where others feed it and nobody counts it: that may lack a cost.
        """
        if self.feeding.is_unclear(listing):
            return "a row of seller.sku_map that feeds it cannot be used: correct it"
        known = []
        feeders = self.feeding.feeders_of(listing)
        for sku, each in feeders.items():
            is_own = sku == sku_key(listing)
            name = listing if is_own else f"{self.feeding.spelled(sku)}, which feeds it,"
            unit = self.units.get(sku)
            if sku in self.unread:
                return f"a row of seller.costs for {name} cannot be read: correct it"
            if unit is not None:
                known.append((unit, each))
            elif sku in self.units:
                return f"rows of seller.costs for {name} differ: keep the right one"
            elif not is_own:
                return f"no cost of {name} is known: fill seller.costs"
            elif len(feeders) == 1 or self.feeding.is_named(sku, listing):
                return _NO_COST
            elif self.counted is None:
                return f"{STOCK.table}, which says whether there are units of {name} itself, cannot be read"
            elif sku in self.counted:
                return f"no cost of {name} itself, which seller.stock counts, is known: fill seller.costs"
        return known or _NO_COST


def decide_prices(
    connection: Connection,
    account: str,
    settings: RepricingSettings,
    costs: SaleCostSettings,
    log: Log,
    *,
    markets: list[str],
    now: datetime,
) -> Decisions:
    """Decide about the price of every row of ``seller.prices`` that a market shows, and store the decisions.

    A price whose offer was not read within the last half hour is left alone, and so is one that several rows want.
    Where rates cannot be read at all, what needs none of them is decided.

    :raises FeedUnusableError: where prices, costs or which SKUs feed which listings cannot be read at all.
    """
    feeding = sku_map.read(connection, account).sku_map
    _, rows = offers_to_price(connection, account, markets, feeding)
    twins = Counter((sku_key(row.sku), row.market) for row in rows)
    wanted = [
        (row, row.wanted)
        for row in rows
        if not isinstance(row.wanted, LeftOut)
        and now - row.read_at <= FRESH
        and twins[sku_key(row.sku), row.market] == 1
    ]
    feed = cost_rows(connection, account)
    readable = _Readable()
    sale_costs = _sale_costs(connection, account, feed, feeding, costs, [row for row, _ in wanted], readable, now=now)
    known = repricing.read_competition(connection, account)
    policy = settings.policy
    moves = repricing.read_moves(connection, account, since=now - policy.remembers)
    decided = []
    for row, price in wanted:
        try:
            terms = sale_costs.terms(row)
            situation = _situation(row, price, known, moves.get((sku_key(row.sku), row.market), _NO_MOVES), terms)
            if situation is not None:
                move = decide_move(situation, None if isinstance(terms, str) else terms, policy, now=now)
                decided.append(_decided(row, move))
        except ArithmeticError:
            # However odd its figures are: they cost no other price.
            decided.append(_decided(row, Move("hold", None, "its price, cost and rates are no figures to reckon with")))
    repricing.store_decisions(connection, account, decided, now=now)
    _tell(decided, log)
    counts: dict[str, int] = {"prices": len(decided), **Counter(str(each.move.verdict) for each in decided)}
    others: dict[str, Callable[[Connection, str], SellerRows[Any]]] = {
        DEVICE_COSTS.table: device_cost_rows,
        FX_RATES.table: fx_rate_rows,
        VAT_RATES.table: vat_rate_rows,
    }
    found = [readable.read(table, partial(read, connection, account)) for table, read in others.items()]
    feeds = (without_differing(feed), *(each for each in found if each is not None))
    return Decisions(counts, feeds, readable.unusable)


@dataclass
class _Readable:
    """Reads tables of the seller, of which one that cannot be read stops no other.

    :param unusable: those that cannot.
    """

    unusable: list[str] = field(default_factory=list)

    def read(self, table: str, read: Callable[[], T]) -> T | None:
        """Return what is read of a table; None where that failed, now or before."""
        if table in self.unusable:
            return None
        try:
            return read()
        except FeedUnusableError:
            # The page says why, and the run is red at its end.
            self.unusable.append(table)
            return None


def _sale_costs(
    connection: Connection,
    account: str,
    feed: SellerRows[CostRow],
    feeding: SkuMap,
    otherwise: SaleCostSettings,
    rows: list[PriceRow],
    readable: _Readable,
    *,
    now: datetime,
) -> SaleCosts:
    units = costs_by_sku(feed.rows)
    unread = {sku_key(sku) for each in feed.left_out if (sku := each.document["sku"]) is not None}
    shared = {sku_key(row.sku) for row in rows if len(feeding.feeders_of(row.sku)) > 1}
    markets = {row.market for row in rows}
    needed = {MARKETS[market].currency for market in markets}
    pairs = {(row.currency, currency) for row in feed.rows for currency in needed if row.currency != currency}
    return SaleCosts(
        units,
        unread,
        feeding,
        repricing.counted_skus(connection, account, shared) if shared else (),
        readable.read(FX_RATES.table, lambda: repricing.exchange_rates(connection, account, pairs, now.date())),
        readable.read(VAT_RATES.table, lambda: repricing.vat_rates(connection, account, markets, now.date())),
        repricing.commissions(connection, account, {sku_key(row.sku) for row in rows}),
        repricing.fee_shares(connection, account),
        otherwise,
    )


def _situation(
    row: PriceRow, price: WantedPrice, known: Competition, moves: Moves, terms: Terms | str
) -> Situation | None:
    """Put together what a decision is made from; None where the seller's row names no usable price."""
    if price.price is None or not price.price.is_finite():
        return None
    standing = known.standings.get((row.listing_id, row.market))
    min_price = price.min_price if price.min_price is not None and price.min_price.is_finite() else None
    return Situation(
        decimals=MARKETS[row.market].decimals,
        shown=row.shown or None,
        wanted=price.price,
        min_price=min_price,
        max_price=row.max_price,
        read_at=standing.read_at if standing else known.asked_at.get(row.listing_id),
        takes_part=standing is not None,
        is_winning=standing is not None and standing.is_winning,
        price_to_win=standing.price_to_win if standing else None,
        winner_price=standing.winner_price if standing else None,
        moves=tuple(moves.sent_at),
        lowered_at=max(moves.lowered_at, default=None),
        foreign=other_currency(row.currency, MARKETS[row.market].currency),
        no_terms=terms if isinstance(terms, str) else "",
    )


def _decided(row: PriceRow, move: Move) -> Decided:
    price = move.price or row.shown
    margin_pct = round(move.margin / price * 100, 2) if price and move.margin is not None else None
    return Decided(row.listing_id, row.market, row.sku, MARKETS[row.market].currency, move, margin_pct)


def _tell(decided: Iterable[Decided], log: Log) -> None:
    """Log how many prices move, and the first of them with their reasons."""
    told = Counter(_WORDS[each.move.verdict] for each in decided)
    log.info("%s looked at: %s.", counted(told.total(), "price"), tally(told, none="nothing to do"))
    moving = [each for each in decided if each.move.price is not None]
    for each in moving[:_MOST_LOGGED]:
        log.info("%s %s: %s.", each.sku, each.market, each.move.reason)
    if len(moving) > _MOST_LOGGED:
        log.info("All of them stand in backmarket.repricing.")
