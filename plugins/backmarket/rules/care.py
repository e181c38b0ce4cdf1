"""Tells whose turn it is in an after-sales conversation (a care folder), and since when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Side = Literal["seller", "customer"]

OPEN, CLOSED = 0, 9
"""States of a folder (spec)."""

SELLER, CUSTOMER, BACK_MARKET = "seller", "customer", "back_market"

# The specification shows "Merchant" and "MERCHANT_TO_ALL"; other words for the same occur in its other enums.
_WORDS = {
    "MERCHANT": SELLER,
    "SELLER": SELLER,
    "CUSTOMER": CUSTOMER,
    "CLIENT": CUSTOMER,
    "USER": CUSTOMER,
    "SENDER": CUSTOMER,
    "BACKMARKET": BACK_MARKET,
    "BM": BACK_MARKET,
    "BOBEE": BACK_MARKET,
    "ADMIN": BACK_MARKET,
    "SYSTEM": BACK_MARKET,
}
_EVER = datetime.min.replace(tzinfo=UTC)
_WORD = re.compile(r"[A-Z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Written:
    """A message, without its text.

    :param initiator: who sent it, in Back Market's words.
    :param kind: ``SENDER_TO_RECEIVER``.
    :param is_informative: whether it asks for no answer.
    :param at: when, in UTC; None where Back Market does not say.
    """

    message_id: int
    initiator: str | None
    kind: str | None
    is_informative: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is.

    :param last_by: who wrote last, whatever needs no answer left out.
    :param waits_for: None where nobody has to answer.
    :param since: the first message that this side has not answered, in UTC.
    """

    last_by: str | None = None
    waits_for: Side | None = None
    since: datetime | None = None


def sender_of(initiator: str | None, kind: str | None) -> str:
    """Return who sent a message: seller, customer, back_market, or Back Market's own word in lower case.

    What is no single word could be a name: it is ``other``.
    """
    sender = _word((kind or "").upper().partition("_TO_")[0]) or _word(initiator)
    if sender:
        return sender
    word = (initiator or "").strip().upper().replace(" ", "_")
    return word.lower() if _WORD.fullmatch(word) and "_" not in word else "other"


def receiver_of(kind: str | None) -> str | None:
    """Return who was to read a message: seller, customer, back_market or all; None where that cannot be told.

    :param kind: ``SENDER_TO_RECEIVER``.
    """
    _, between, word = (kind or "").upper().rpartition("_TO_")
    if not between:
        return None
    return "all" if word == "ALL" else _word(word)


def turn_of(messages: Iterable[Written], state: int | None) -> Turn:
    """Tell whose turn it is: the side that has not answered what was written last.

    Of what Back Market writes to the customer alone, the customer is to answer; of all else, the seller. What the
    seller writes to Back Market alone answers no customer.

    :param state: of the folder: in a closed one it is nobody's.
    """
    asking = sorted(
        (each for each in messages if not each.is_informative),
        key=lambda each: (each.at or _EVER, each.message_id),
    )
    if not asking:
        return Turn()
    last_by = sender_of(asking[-1].initiator, asking[-1].kind)
    if state == CLOSED:
        return Turn(last_by)
    seen = [each for each in asking if _answers(each) is not None]
    if not seen:
        return Turn(last_by)
    waits_for = _answers(seen[-1])
    unanswered = []
    for each in reversed(seen):
        if _answers(each) != waits_for:
            break
        unanswered.append(each)
    return Turn(last_by, waits_for, unanswered[-1].at)


def _answers(message: Written) -> Side | None:
    """Return who of seller and customer is to answer a message; None where neither is."""
    receiver = receiver_of(message.kind)
    sender = sender_of(message.initiator, message.kind)
    if sender == SELLER and receiver == BACK_MARKET:
        return None
    if sender == SELLER or (sender != CUSTOMER and receiver == CUSTOMER):
        return "customer"
    return "seller"


def _word(text: str | None) -> str | None:
    return _WORDS.get(re.sub(r"[^A-Z]", "", (text or "").upper()))
