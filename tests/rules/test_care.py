"""Whose turn it is in a conversation, and since when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backmarket.rules.care import CLOSED, OPEN, Turn, Written, receiver_of, sender_of, turn_of


def at(hour: int) -> datetime:
    """A moment of one day."""
    return datetime(2026, 11, 26, hour, tzinfo=UTC)


def message(number: int, kind: str, *, hour: int | None = None, informative: bool = False) -> Written:
    """A message, an hour after the one before it unless told otherwise."""
    return Written(number, None, kind, informative, at(number if hour is None else hour))


CUSTOMER, SELLER, TO_CUSTOMER = "CUSTOMER_TO_ALL", "MERCHANT_TO_ALL", "BACKMARKET_TO_CUSTOMER"
TO_SELLER, TO_BACK_MARKET = "BACKMARKET_TO_MERCHANT", "MERCHANT_TO_BACKMARKET"


@pytest.mark.parametrize(
    ("messages", "turn"),
    [
        ([], Turn()),
        ([message(1, CUSTOMER)], Turn("customer", "seller", at(1))),
        # Since the first of them that was not answered.
        ([message(1, CUSTOMER), message(2, CUSTOMER)], Turn("customer", "seller", at(1))),
        ([message(1, CUSTOMER), message(2, SELLER)], Turn("seller", "customer", at(2))),
        ([message(1, CUSTOMER), message(2, SELLER), message(3, CUSTOMER)], Turn("customer", "seller", at(3))),
        ([message(1, SELLER), message(2, TO_SELLER)], Turn("back_market", "seller", at(2))),
        ([message(1, CUSTOMER), message(2, TO_CUSTOMER)], Turn("back_market", "customer", at(2))),
        # A question to Back Market leaves the customer where they were.
        ([message(1, CUSTOMER), message(2, TO_BACK_MARKET)], Turn("seller", "seller", at(1))),
        ([message(1, CUSTOMER), message(2, SELLER), message(3, TO_BACK_MARKET)], Turn("seller", "customer", at(2))),
        ([message(1, TO_BACK_MARKET)], Turn("seller")),
        # What only informs asks for no answer.
        ([message(1, CUSTOMER), message(2, SELLER, informative=True)], Turn("customer", "seller", at(1))),
        ([message(1, SELLER, informative=True)], Turn()),
        # By time, not as they are listed.
        ([message(2, CUSTOMER, hour=3), message(3, SELLER, hour=1)], Turn("customer", "seller", at(3))),
        ([Written(1, None, SELLER, False, None), message(2, CUSTOMER)], Turn("customer", "seller", at(2))),
    ],
)
def test_whose_turn_it_is(messages: list[Written], turn: Turn) -> None:
    """The side that has not answered what was written last."""
    assert turn_of(messages, OPEN) == turn


def test_in_a_closed_folder_it_is_nobodys_turn() -> None:
    """Whoever wrote last."""
    assert turn_of([message(1, CUSTOMER)], CLOSED) == Turn("customer")


@pytest.mark.parametrize(
    ("initiator", "kind", "sender"),
    [
        ("Merchant", "MERCHANT_TO_ALL", "seller"),
        ("Merchant", None, "seller"),
        (None, "CLIENT_TO_MERCHANT", "customer"),
        ("Customer", "", "customer"),
        ("BackMarket", "BACK_MARKET_TO_ALL", "back_market"),
        ("Back Market", None, "back_market"),
        ("Robot", None, "robot"),
        ("Ada Lovelace", None, "other"),
        (None, None, "other"),
    ],
)
def test_who_sent_a_message(initiator: str | None, kind: str | None, sender: str) -> None:
    """In the words of the specification and its other enums; what may be a person's name is not repeated."""
    assert sender_of(initiator, kind) == sender


@pytest.mark.parametrize(
    ("kind", "receiver"),
    [
        ("MERCHANT_TO_ALL", "all"),
        ("merchant_to_client", "customer"),
        ("CUSTOMER_TO_MERCHANT", "seller"),
        ("CUSTOMER_TO_BACK_MARKET", "back_market"),
        ("CUSTOMER_TO_JANE", None),
        ("CUSTOMER", None),
        ("", None),
        (None, None),
    ],
)
def test_who_was_to_read_a_message(kind: str | None, receiver: str | None) -> None:
    """None where that cannot be told."""
    assert receiver_of(kind) == receiver
