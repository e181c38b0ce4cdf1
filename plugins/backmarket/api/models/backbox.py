"""Where a listing stands in the competition for a BackBox, as ``GET /ws/backbox/v1/competitors/{id}`` tells it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID  # noqa: TC003 - pydantic reads the annotations at run time

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from backmarket.api.markets import MARKETS, Platform, decimals_of, market_of
from backmarket.api.models.document import Document, Needed, OptionalWord, Unreadable, read_each

if TYPE_CHECKING:
    from collections.abc import Iterator

_Amount = Annotated[Decimal, Field(ge=0, lt=10**15, max_digits=28, allow_inf_nan=False)]


class MonetaryAmount(Document):
    """An amount with its currency (ISO 4217); ``amount`` is None where Back Market says none."""

    amount: Annotated[_Amount | None, Needed()] = None
    currency: Annotated[OptionalWord, Needed()] = None


def _market_code(value: Any, info: ValidationInfo) -> str:
    """Return the market that Back Market means by a country, such as ``FR``, or by a market's code, in any case."""
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "no text")
    market = market_of(value)
    platform = (info.context or {}).get("platform")
    if market is None or platform not in {None, market.platform}:
        raise PydanticCustomError("no_market_of_this_platform", "no market of this platform")
    return market.code


class Competitor(Document):
    """One listing in one market, where it competes with other sellers' for the BackBox of its product.

    ``price`` and ``min_price`` are the seller's own; with ``price_to_win`` the listing would win, and ``winner_price``
    is what the winner asks. Each is None, or has an amount of None, where Back Market says none; all are in the
    market's own currency. ``market`` is the market's code, such as ``fr-fr``, although Back Market names its country.

    Needed: all of these, since prices follow from them. Where one is of an unexpected form, where an amount is below
    zero, of another currency or finer than it, the document is unreadable.
    """

    market: Annotated[str, BeforeValidator(_market_code)]
    listing_id: Annotated[UUID | None, Needed()] = None
    product_id: UUID | None = None
    is_winning: bool
    price: Annotated[MonetaryAmount | None, Needed()] = None
    min_price: Annotated[MonetaryAmount | None, Needed()] = None
    price_to_win: Annotated[MonetaryAmount | None, Needed()] = None
    winner_price: Annotated[MonetaryAmount | None, Needed()] = None

    document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The competitor as it came."""

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:  # noqa: ARG003 - same signature
        return {**data, "document": data}

    @field_validator("listing_id")
    @classmethod
    def _check_listing(cls, value: UUID | None, info: ValidationInfo) -> UUID | None:
        if value is not None and (info.context or {}).get("listing_id") not in {None, value}:
            raise PydanticCustomError("another_listing_than_asked_for", "another listing than asked for")
        return value

    @field_validator("price", "min_price", "price_to_win", "winner_price")
    @classmethod
    def _check_amount(cls, value: MonetaryAmount | None, info: ValidationInfo) -> MonetaryAmount | None:
        market = MARKETS.get(info.data.get("market", ""))
        if market is None or value is None or value.amount is None:
            return value
        if (value.currency or "").strip().upper() != market.currency:
            raise PydanticCustomError("another_currency_than_the_market", "another currency than the market")
        if value.amount != round(value.amount, decimals_of(market.currency)):
            raise PydanticCustomError("more_decimals_than_its_currency_has", "more decimals than its currency has")
        return value

    @property
    def currency(self) -> str:
        """The market's, in which all amounts are."""
        return MARKETS[self.market].currency


@dataclass(frozen=True)
class Competitors:
    """Where one listing competes, market by market; to iterate over it gives the markets that could be read.

    :param asked_at: this machine's clock before Back Market was asked, in UTC: what it says is at least as new.
    :param competitors: one a market; none where the listing takes part in no BackBox.
    :param unreadable: what could not be read; the key is how Back Market names the market, where it does.
    """

    listing_id: UUID
    asked_at: datetime
    competitors: list[Competitor] = field(default_factory=list, repr=False)
    unreadable: list[Unreadable] = field(default_factory=list, repr=False)

    def __iter__(self) -> Iterator[Competitor]:
        """Give the markets that could be read."""
        return iter(self.competitors)

    def __len__(self) -> int:
        """Tell in how many markets the listing competes, as far as the answer could be read."""
        return len(self.competitors)


def read_competitors(listing_id: UUID, documents: list[Any], *, asked_at: datetime, platform: Platform) -> Competitors:
    """Read what was answered about a listing, market by market: one that cannot be read costs no other.

    A market that comes more than once is unreadable each time: nobody could tell which one is true.
    """
    context = {"listing_id": listing_id, "platform": platform}
    found, unreadable = read_each(Competitor, documents, key="market", context=context)
    times = Counter(each.market for each in found)
    for each in found:
        if times[each.market] > 1:
            unreadable.append(Unreadable(each.document, "market: comes more than once", each.market))
    return Competitors(listing_id, asked_at, [each for each in found if times[each.market] == 1], unreadable)
