"""Decides what becomes of a price that the seller wants: sent, refused, or shown to a person first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from backmarket.rules.given_texts import shortened

if TYPE_CHECKING:
    from backmarket.rules.approvals import Answer

Verdict = Literal["unchanged", "send", "ask", "refuse"]


@dataclass(frozen=True, slots=True)
class WantedPrice:
    """A row of ``seller.prices``; a view may leave price and currency empty.

    :param min_price: a floor kept here; it is never sent.
    """

    sku: str
    market: str
    price: Decimal | None
    currency: str | None
    min_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OfferRow:
    """What a market shows now.

    :param price: None where there is none yet.
    :param max_price: above it, Back Market takes the offer offline; None: not known.
    :param max_price_unreadable: whether there is one, in a form that cannot be read.
    :param currency: in which it is shown; None: the document names none, and the market's is meant.
    :param last_sent: the last price that was sent from here and confirmed, in the market's currency.
    :param last_shown: where it shows none, the last one that it showed, in the market's currency.
    """

    price: Decimal | None
    max_price: Decimal | None = None
    max_price_unreadable: bool = False
    currency: str | None = None
    last_sent: Decimal | None = None
    last_shown: Decimal | None = None

    @property
    def measured_from(self) -> Decimal | None:
        """The price that a move is measured from; None, 0: there is none.

        It is the one shown, else the last that was sent, else the last that was shown: an offer that shows no price for
        a while, as while Back Market checks it, still had one.
        """
        return self.price or self.last_sent or self.last_shown or self.price

    @property
    def measured_in_words(self) -> str:
        """The price that a move is measured from, and what it is where it is not shown."""
        if self.price:
            return f"{self.price}"
        what = "sent" if self.last_sent else "shown"
        return f"{self.measured_from}, which was {what} last and is shown no more,"


@dataclass(frozen=True, slots=True)
class PriceDecision:
    """What is to be done with a price.

    :param price: as it is to be sent: with the market's number of decimals; None where the row has none.
    :param reason: why it is refused or waits; empty otherwise.
    """

    verdict: Verdict
    price: Decimal | None
    reason: str = ""


def decide_price(
    wanted: WantedPrice, offer: OfferRow, *, currency: str, decimals: int, change_limit_pct: Decimal
) -> PriceDecision:
    """Decide on one price in one market.

    :param currency: the market's.
    :param decimals: how many the market's prices have.
    :param change_limit_pct: a move larger than this, up or down, needs a person's approval.
    """
    refusal = _refusal(wanted, offer, currency=currency, decimals=decimals)
    if refusal or wanted.price is None:
        return PriceDecision("refuse", wanted.price, refusal)
    price = wanted.price.quantize(Decimal(1).scaleb(-decimals))
    if offer.price is not None and offer.price == price:
        return PriceDecision("unchanged", price)
    if offer.max_price_unreadable:
        reason = f"the listing's max_price is in no form known here: above it, price {price} would take it offline"
        return PriceDecision("refuse", price, reason)
    before = offer.measured_from
    change = change_pct(before, price)
    if change is not None and abs(change) > change_limit_pct:
        reason = f"a move of {change:+.2f} % from {offer.measured_in_words} to {price} {currency} needs approval"
        return PriceDecision("ask", price, f"{reason} (limit {change_limit_pct.normalize():f} %)")
    return PriceDecision("send", price)


def after_decision(planned: PriceDecision, answer: Answer | None) -> PriceDecision:
    """Apply what a person decided about a move that needs approval.

    :param planned: as :func:`decide_price` returns it; returned unchanged where it needs no approval.
    :param answer: about exactly this move; None where there is none.
    """
    if planned.verdict != "ask" or answer is None:
        return planned
    if refusal := answer.against(planned.reason):
        return replace(planned, verdict="refuse", reason=refusal)
    return replace(planned, verdict="send", reason="")


def other_currency(shown: str | None, currency: str) -> str | None:
    """Return the currency that an offer is shown in where it is not its market's; None where it is, or names none.

    :param currency: the market's.
    """
    given = (shown or "").strip().upper()
    return given if given not in {"", currency} else None


def change_pct(old: Decimal | None, new: Decimal) -> Decimal | None:
    """Return by how many per cent a price moves; None where there was none (Back Market shows 0)."""
    return (new - old) / old * 100 if old else None


def _refusal(wanted: WantedPrice, offer: OfferRow, *, currency: str, decimals: int) -> str:
    """Name everything that is wrong with a price; empty where nothing is."""
    price = wanted.price
    if price is None:
        return "price is missing"
    if not price.is_finite():
        return f"price {price} is not a number"
    reasons = []
    if (wanted.currency or "").strip().upper() != currency:
        given = shortened(wanted.currency or "is missing and")
        reasons.append(f"currency {given} is not {currency}, which {wanted.market} takes")
    other = other_currency(offer.currency, currency)
    if other and (offer.price or offer.max_price):
        reasons.append(
            f"the offer is shown in {shortened(other)}, and {wanted.market} takes {currency}: the move cannot be "
            "measured; set the price once in the Back Office"
        )
    if price <= 0:
        reasons.append(f"price {price} is not above zero")
    if price != round(price, decimals):
        reasons.append(f"price {price} has more than {decimals} decimals")
    if offer.max_price and not other and price > offer.max_price:
        reasons.append(f"price {price} is above the listing's max_price {offer.max_price}: it would go offline")
    if wanted.min_price is not None and not wanted.min_price.is_finite():
        reasons.append(f"min_price {wanted.min_price} is not a number")
    elif wanted.min_price is not None and price < wanted.min_price:
        reasons.append(f"price {price} is below your min_price {wanted.min_price}")
    return "; ".join(reasons)
