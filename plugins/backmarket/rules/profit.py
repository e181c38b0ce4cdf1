"""What sales cost, as the seller says it: costs of SKUs and devices, exchange rates, rates of VAT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.rules.skus import sku_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from decimal import Decimal

    from backmarket.rules.repricing import VatScheme

VAT_SCHEMES: tuple[VatScheme, ...] = ("margin", "standard")
"""``margin``: VAT is due on what is left of the price after the unit's cost; ``standard``: on the whole price."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """A row of ``seller.costs``.

    :param unit_cost: of one unit, in currency; 0 or more.
    """

    sku: str
    unit_cost: Decimal
    currency: str
    vat_scheme: VatScheme


@dataclass(frozen=True, slots=True)
class DeviceCostRow:
    """A row of ``seller.device_costs``: it goes before that of the device's SKU.

    :param unit_cost: of the device, in currency; 0 or more.
    """

    imei_or_serial: str
    unit_cost: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class FxRateRow:
    """A row of ``seller.fx_rates``.

    :param rate: how many of to_currency one of from_currency is worth on the day; above 0.
    """

    day: date
    from_currency: str
    to_currency: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class VatRateRow:
    """A row of ``seller.vat_rates``.

    :param vat_pct: in per cent of the price without VAT, from 0 to 100.
    :param valid_from: the first day of it; None: it always was so.
    """

    market: str
    vat_pct: Decimal
    valid_from: date | None = None


def costs_by_sku(rows: Iterable[CostRow]) -> dict[str, CostRow | None]:
    """Return what SKUs cost, by :func:`sku_key`; None where rows of one SKU, in whatever case, differ."""
    found: dict[str, CostRow | None] = {}
    said: dict[str, tuple[Decimal, str, VatScheme]] = {}
    for row in rows:
        key, says = sku_key(row.sku), (row.unit_cost, row.currency, row.vat_scheme)
        found[key] = found.get(key, row) if said.setdefault(key, says) == says else None
    return found
