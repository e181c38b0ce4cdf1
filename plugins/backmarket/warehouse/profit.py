"""Reads what sales cost and what they left: the seller's tables row by row, sums of the view ``backmarket.profit``."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from backmarket.rules.profit import costs_by_sku
from backmarket.rules.skus import sku_key
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.seller_rows import COSTS, DEVICE_COSTS, FX_RATES, VAT_RATES, SellerRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from backmarket.rules.profit import CostRow, DeviceCostRow, FxRateRow, VatRateRow
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.seller_rows import Form

Cell = dict[str, Any]
"""What sales of one day, market, SKU and so on left: a row of ``profit/sum_sales``."""

_ZERO = Decimal(0)
_AMOUNTS = ("revenue", "commission", "fees", "logistics", "refunds", "vat", "cost", "margin")


def cost_rows(connection: Connection, account: str) -> SellerRows[CostRow]:
    """Read ``seller.costs``.

    :raises FeedUnusableError: where the table cannot be read at all; so do the others.
    """
    return _read(connection, account, COSTS, "select_costs")


def without_differing(feed: SellerRows[CostRow]) -> SellerRows[CostRow]:
    """Leave out the rows of a SKU that differ, as nobody knows which one holds."""
    sure = costs_by_sku(feed.rows)
    times = Counter(sku_key(row.sku) for row in feed.rows)
    differing = [row for row in feed.rows if sure[sku_key(row.sku)] is None]
    left_out = [
        COSTS.left_out(
            {"sku": row.sku, "unit_cost": str(row.unit_cost), "currency": row.currency, "vat_scheme": row.vat_scheme},
            [f"{times[sku_key(row.sku)]} rows of this SKU differ: keep the right one"],
        )
        for row in differing
    ]
    rows = [row for row in feed.rows if sure[sku_key(row.sku)] is not None]
    return SellerRows(feed.table, feed.named_by, rows, [*feed.left_out, *left_out])


def device_cost_rows(connection: Connection, account: str) -> SellerRows[DeviceCostRow]:
    """Read ``seller.device_costs``."""
    return _read(connection, account, DEVICE_COSTS, "select_device_costs")


def fx_rate_rows(connection: Connection, account: str) -> SellerRows[FxRateRow]:
    """Read ``seller.fx_rates``, whose rows are of no account."""
    return _read(connection, account, FX_RATES, "select_fx_rates")


def vat_rate_rows(connection: Connection, account: str) -> SellerRows[VatRateRow]:
    """Read ``seller.vat_rates``."""
    return _read(connection, account, VAT_RATES, "select_vat_rates")


def _read(connection: Connection, account: str, form: Form[Any], statement: str) -> SellerRows[Any]:
    rows = feeds.select(connection, form.table, sql.statement(f"profit/{statement}"), {"account": account})
    return form.read(rows)


@dataclass
class Sums:
    """What some sales left, in one currency; costs are positive.

    :param lines: how many order lines they are, of which ``settled`` are in statements.
    :param without_cost: lines whose cost is not known: they count in none of the amounts, but in
        ``revenue_without_cost``.
    :param without_fees: revenue of which neither order nor statements tell all fees, so that none are taken off.
    :param refunds_due: what was paid back and no statement shows yet.
    :param own_margin: the margin in the seller's own currency, of what can be converted.
    :param not_converted: lines whose margin cannot be.
    """

    currency: str
    lines: int = 0
    units: int = 0
    settled: int = 0
    without_cost: int = 0
    revenue_without_cost: Decimal = _ZERO
    without_fees: Decimal = _ZERO
    refunds_due: Decimal = _ZERO
    amounts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(_AMOUNTS, _ZERO))
    own_revenue: Decimal = _ZERO
    own_margin: Decimal = _ZERO
    not_converted: int = 0

    def add(self, cell: Cell) -> None:
        """Add what sales left."""
        self.lines += cell["lines"]
        self.units += int(cell["units"])
        self.settled += cell["lines"] if cell["is_settled"] else 0
        self.refunds_due += cell["refunds_due"] or _ZERO
        if cell["cost_reason"] is not None:
            self.without_cost += cell["lines"]
            self.revenue_without_cost += cell["revenue"] or _ZERO
            return
        self.without_fees += cell["without_fees"]
        for name in _AMOUNTS:
            self.amounts[name] += cell[name]
        if cell["own_margin"] is None:
            self.not_converted += cell["lines"]
        else:
            self.own_revenue += cell["own_revenue"]
            self.own_margin += cell["own_margin"]

    @property
    def margin(self) -> Decimal:
        """What is left of those sales whose cost is known."""
        return self.amounts["margin"]

    @property
    def margin_pct(self) -> Decimal | None:
        """The margin in per cent of the revenue less refunds, to one decimal; None where nothing was earned."""
        kept = self.amounts["revenue"] - self.amounts["refunds"]
        return round(100 * self.margin / kept, 1) if kept > 0 else None


def sales_between(
    connection: Connection, account: str, first_day: date, last_day: date, own_currency: str | None
) -> list[Cell]:
    """Read what sales of these UTC days left, both included.

    :param own_currency: the one in which all is added up; None: nothing is converted.
    """
    span = {"account": account, "first_day": first_day, "last_day": last_day, "own_currency": own_currency}
    return _rows(connection, "sum_sales", span)


def differences_between(
    connection: Connection, account: str, first_day: date, last_day: date, *, most: int
) -> list[dict[str, Any]]:
    """Read the orders of these days that statements paid otherwise than expected: order_id, currency, expected, actual,
    difference, kinds of open findings, and the total of such orders."""
    span = {"account": account, "first_day": first_day, "last_day": last_day, "most": most}
    return _rows(connection, "select_differences", span)


def _rows(connection: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        # An order's lines and rows lie together: looking them up is quicker than reading all there are. Functions that
        # are compiled for so many sales take longer than the sales.
        cursor.execute("set local random_page_cost = 1.1")
        cursor.execute("set local jit = off")
        cursor.execute("set local statement_timeout = '30s'")
        return cursor.execute(sql.statement(f"profit/{name}"), values).fetchall()


def by(cells: Iterable[Cell], key: Callable[[Cell], str]) -> dict[tuple[str, str], Sums]:
    """Add sales up by currency and something else, such as their month; in the order in which that sorts.

    :param key: what of a sale it is added up by.
    """
    found: dict[tuple[str, str], Sums] = {}
    for cell in cells:
        place = (key(cell), cell["currency"] or "?")
        found.setdefault(place, Sums(place[1])).add(cell)
    return dict(sorted(found.items()))


def missing_costs(cells: Iterable[Cell]) -> list[tuple[str, int, list[str]]]:
    """Return why costs are not known: the reason, how many lines, and their SKUs; what concerns most lines first."""
    lines: dict[str, int] = defaultdict(int)
    skus: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        if reason := cell["cost_reason"]:
            lines[reason] += cell["lines"]
            skus[reason].add(cell["sku"] or "")
    return [(reason, count, sorted(skus[reason] - {""})) for reason, count in sorted(lines.items(), key=_most)]


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return (-item[1], item[0])
