"""Only identifiers beyond doubt are registered, as none can ever be corrected."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.identifiers import (
    Device,
    IdentifierError,
    Identifiers,
    clean_imei,
    clean_serial,
    judge_device,
    judge_identifiers,
    line_of,
    phones_without_imei,
    still_missing,
)
from backmarket.rules.order_facts import LineFacts, OrderFacts
from backmarket.settings import SMARTPHONES
from sandbox.dice import luhn_digit
from sandbox.products import PRODUCTS
from sandbox.products import SMARTPHONES as PHONE_CATEGORY

IMEI, OTHER = "353918057982919", "490154203237518"
BODIES = st.text("0123456789", min_size=14, max_size=14).filter(lambda body: body.strip("0"))


def _order(*lines: LineFacts) -> OrderFacts:
    return OrderFacts(1, lines)


@given(BODIES, st.sampled_from(["", " ", "-", "/", "."]))
def test_an_imei_is_its_fifteen_digits(body: str, gap: str) -> None:
    """Separators are dropped."""
    imei = f"{body}{luhn_digit(body)}"
    assert clean_imei(f" {gap.join(imei)} ") == imei


@given(BODIES, st.integers(0, 14), st.integers(1, 9))
def test_one_mistyped_digit_is_found(body: str, place: int, by: int) -> None:
    """The check digit proves each single digit."""
    imei = f"{body}{luhn_digit(body)}"
    wrong = imei[:place] + str((int(imei[place]) + by) % 10) + imei[place + 1 :]
    with pytest.raises(IdentifierError):
        clean_imei(wrong)


@pytest.mark.parametrize("text", [IMEI[:14], IMEI + "0", "0" * 15, "A" * 15, "٣٥٣٩١٨٠٥٧٩٨٢٩١٩", "35391805798291\uff19"])
def test_nothing_is_completed_or_guessed(text: str) -> None:
    """14 digits, 16, zeros, letters and digits of other scripts are refused."""
    with pytest.raises(IdentifierError):
        clean_imei(text)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_nothing_is_nothing(text: str | None) -> None:
    """Empty fields ask for nothing."""
    assert clean_imei(text) is None
    assert clean_serial(text) is None


@given(st.text(min_size=1, max_size=60))
def test_a_serial_number_is_printable_and_short(text: str) -> None:
    """1 to 50 printable characters, trimmed; anything else is refused."""
    try:
        serial = clean_serial(text)
    except IdentifierError:
        assert len(text.strip()) > 50 or not text.strip().isprintable()
    else:
        assert serial is None or (1 <= len(serial) <= 50 and serial.isprintable())


LINES = (LineFacts(11, 2, 1, "A"), LineFacts(12, 2, 1, "B"), LineFacts(13, 2, 1, "B"))


@pytest.mark.parametrize(
    ("device", "line"),
    [
        (Device(1, 12), 12),
        (Device(1, 12, "b"), 12),
        (Device(1, None, " a "), 11),
        (Device(1, 12, "A"), None),
        (Device(1, None, "B"), None),
        (Device(1, None, "C"), None),
        (Device(1, 99), None),
        (Device(1), None),
    ],
)
def test_a_device_belongs_to_exactly_one_line(device: Device, line: int | None) -> None:
    """The line it names, or the only one with its SKU; a contradiction or a choice is refused."""
    if line is None:
        with pytest.raises(IdentifierError):
            line_of(device, _order(*LINES))
    else:
        assert line_of(device, _order(*LINES)).orderline_id == line


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ({"state": 2}, "send"),
        ({"state": 3}, "send"),
        ({"state": 1}, "wait"),
        ({"state": 9}, "wait"),
        ({"state": 4}, "refuse"),
        ({"state": 6}, "refuse"),
        ({"state": 2, "quantity": 2}, "refuse"),
        ({"state": 3, "imei": IMEI}, "done"),
        ({"state": 6, "imei": IMEI}, "done"),
        ({"state": 3, "imei": OTHER}, "refuse"),
        ({"state": 3, "serial_number": "S"}, "send"),
    ],
)
def test_an_identifier_is_sent_where_the_line_can_take_it(line: dict[str, Any], verdict: str) -> None:
    """Accepted or shipped, one unit, nothing else registered."""
    order = _order(LineFacts(11, **{"quantity": 1, **line}))
    assert judge_identifiers(order, 11, Identifiers(IMEI)).verdict == verdict


def test_an_imei_of_another_live_line_is_refused() -> None:
    """Its own line does not count."""
    order, (line,) = _order(LINES[0]), (LINES[0],)

    def verdict(*lines: int, ships: bool = False) -> str:
        return judge_device(Identifiers(IMEI), line, order, lines_with_imei=lines, ships_with_order=ships).verdict

    assert verdict() == verdict(11) == "send"
    assert verdict(11, 77) == "refuse"
    assert verdict(ships=True) == "wait"


def test_what_is_registered_is_not_sent_again() -> None:
    """Only what a line lacks."""
    assert still_missing(LineFacts(1, 3, 1, imei=IMEI), Identifiers(IMEI, "S")) == Identifiers(None, "S")


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.sku)
def test_smartphones_are_known_by_their_titles(product: Any) -> None:
    """Tablets, watches and earphones of the same families are none."""
    order = _order(LineFacts(1, 2, 1, product=product.title))
    found = phones_without_imei(order, re.compile(SMARTPHONES), None)
    assert found == ([1] if product.category == PHONE_CATEGORY else [])
    assert phones_without_imei(order, re.compile(SMARTPHONES), Identifiers(IMEI)) == []
