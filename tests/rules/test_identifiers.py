"""Only identifiers beyond doubt are registered, as none can ever be corrected."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.given_texts import is_plain_run
from backmarket.rules.identifiers import (
    Device,
    IdentifierError,
    Identifiers,
    LineUse,
    clean_imei,
    earlier_uses,
    identifiers_of,
    judge_device,
    judge_identifiers,
    line_of,
    lines_perhaps_of,
    phones_without_imei,
    readable_numbers,
    still_missing,
    told_earlier_orders,
)
from backmarket.rules.order_facts import Decision, LineFacts, OrderFacts
from backmarket.rules.sku_map import MapRow, SkuMap
from backmarket.settings import SMARTPHONES
from sandbox.dice import luhn_digit
from sandbox.listings.products import PRODUCTS
from sandbox.listings.products import SMARTPHONES as PHONE_CATEGORY

if TYPE_CHECKING:
    from collections.abc import Sequence

IMEI, OTHER = "353918057982916", "490154203237518"
BODIES = st.text("0123456789", min_size=14, max_size=14).filter(
    lambda body: not body.startswith("00") and not is_plain_run(body)
)


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


@pytest.mark.parametrize("text", [None, "", "  ", "-", "\u200b"])
def test_nothing_is_nothing(text: str | None) -> None:
    """Empty fields ask for nothing."""
    assert clean_imei(text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"IMEI: {IMEI}",
        f"IMEI {IMEI}",
        f"imei1: {IMEI}",
        f"IMEI 2: {IMEI}",
        f"IMEI/MEID {IMEI}",
        f"IMEI{IMEI}",
        f"'{IMEI}",
        f'"{IMEI}"',
        f"{IMEI}.",
        f"\u200b{IMEI[:8]}\u00a0{IMEI[8:]}",
        "35-391805-798291-6",
    ],
)
def test_what_surrounds_an_imei_is_taken_off(text: str) -> None:
    """A label, a spreadsheet's apostrophe, invisible characters: where one valid IMEI remains, it is meant."""
    assert clean_imei(text) == IMEI


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.23457E+14", "spreadsheet"),
        ("3,57E+14", "spreadsheet"),
        ("3.57e+14", "spreadsheet"),
        ("356938035643810.0", "spreadsheet"),
        ("N/A", "placeholder"),
        ("None", "placeholder"),
        ("IMEI:", "placeholder"),
        ("xxxxxxxxxxxxxxx", "placeholder"),
        ("123456789012347", "placeholder"),
        ("111111111111119", "placeholder"),
        ("0", "all zeros"),
        ("004999010640000", "begins with 00"),
        (IMEI[:14], "14 digits"),
        (IMEI + "01", "17 digits"),
        ("3539180579829101", "16 digits"),
        (f"{IMEI}/{OTHER}", "two IMEIs"),
        (f"{IMEI} {OTHER}", "two IMEIs"),
        (f"IMEI1: {IMEI} IMEI2: {OTHER}", "other than digits"),
        (f"{IMEI}, {OTHER}", "other than digits"),
        ("A0000012345678", "other than digits"),
        ("89049032000001000000000000000000", "32 digits"),
        ("https://imei.example/353918057982916", "web address"),
        ('="353918057982916"', "formula"),
        ("C02ABCDEFGHJ", "other than digits"),
    ],
)
def test_what_is_no_imei_is_refused_with_its_reason(text: str, words: str) -> None:
    """Numbers that a spreadsheet shortened, placeholders, two IMEIs, IMEISV, MEID, EID, and a phone's test number."""
    with pytest.raises(IdentifierError, match=re.escape(words)):
        clean_imei(text)


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


NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = timedelta(days=90)


def _judge(
    wanted: Identifiers,
    *,
    with_imei: Sequence[LineUse] = (),
    with_serial: Sequence[LineUse] = (),
    ships_with_order: bool = False,
) -> Decision:
    return judge_device(
        wanted,
        LINES[0],
        _order(LINES[0]),
        with_imei=with_imei,
        with_serial=with_serial,
        ships_with_order=ships_with_order,
        resale_after=DAYS,
        now=NOW,
    )


@pytest.mark.parametrize("wanted", [Identifiers(IMEI), Identifiers(None, "C02X9")], ids=["imei", "serial"])
@pytest.mark.parametrize(
    ("state", "days_ago", "refunded", "words"),
    [
        *((state, 500, False, "which is open") for state in (0, 1, 2, 8, 9)),
        (2, 500, True, "which is open"),
        (3, 0, False, "shipped on 2026-03-01"),
        (3, 1, False, "if the device came back"),
        (3, 90, False, "90 days"),
        (3, 91, False, None),
        (3, 148, False, None),
        (3, 1, True, None),
        *((state, 0, False, None) for state in (4, 5, 6, 7)),
    ],
)
def test_a_number_is_used_again_only_once_its_device_is_back(
    wanted: Identifiers, state: int, days_ago: int, refunded: bool, words: str | None
) -> None:
    """Refused while an earlier line is open or lately shipped; else the earlier order is named."""
    use = LineUse(77, 7, state, NOW - timedelta(days=days_ago), refunded)
    decision = _judge(wanted, with_imei=[use]) if wanted.imei else _judge(wanted, with_serial=[use])
    if words:
        assert decision.verdict == "refuse"
        assert "also belongs to order line 77 of order 7" in decision.reason
        assert words in decision.reason
    else:
        assert decision.verdict == "send"
        assert "order 7, line 77" in decision.reason


def test_a_device_that_another_row_names_for_nobody_knows_which_line_stays_here() -> None:
    """Either row may be the wrong one; what is registered already needs nothing more."""
    judge = partial(
        judge_device, Identifiers(IMEI), named_by=["order_id 7"], ships_with_order=True, resale_after=DAYS, now=NOW
    )
    assert judge(LINES[0], _order(LINES[0])) == Decision(
        "refuse", "another row names this device (order_id 7), and nobody can say for which line: correct or remove it"
    )
    done = replace(LINES[0], imei=IMEI)
    assert judge(done, _order(done)).verdict == "done"


def test_each_number_of_a_row_is_read_by_itself() -> None:
    """One that cannot be read hides nothing of the other."""
    assert readable_numbers(IMEI, "N/A") == Identifiers(IMEI)
    assert readable_numbers(IMEI[:-1], "S/N: DMQK20R1GHK9") == Identifiers(None, "DMQK20R1GHK9")
    assert readable_numbers(None, "") == Identifiers()


@pytest.mark.parametrize(
    ("device", "lines"),
    [(Device(1, None, "B"), [12, 13]), (Device(1), [11, 12, 13]), (Device(1, None, "C"), []), (Device(1, 99), [])],
)
def test_a_row_without_a_line_may_be_about_each_that_fits(device: Device, lines: list[int]) -> None:
    """Where none fits, nobody knows which one is meant."""
    assert [line.orderline_id for line in lines_perhaps_of(device, _order(*LINES))] == lines


def test_an_identifier_for_a_line_in_a_state_nobody_knows_waits() -> None:
    """It is not called cancelled, and the state is named."""
    line = LineFacts(11, 99, 1, "A")
    decision = judge_identifiers(_order(line), 11, Identifiers(IMEI))
    assert decision.verdict == "wait"
    assert "state 99, which this version does not know" in decision.reason


def test_a_line_is_not_in_its_own_way() -> None:
    """What it has, or is to get, itself is no second use; nothing is said of an earlier sale."""
    own = LineUse(LINES[0].orderline_id, 1, 2, NOW)
    assert _judge(Identifiers(IMEI, "C02X9"), with_imei=[own], with_serial=[own, own]) == Decision("send")
    assert _judge(Identifiers(IMEI), with_imei=[own], ships_with_order=True).verdict == "wait"


def test_without_a_date_a_shipped_line_keeps_its_number() -> None:
    """Nobody knows how long ago that was."""
    assert _judge(Identifiers(IMEI), with_imei=[LineUse(77, 7, 3)]).verdict == "refuse"


@pytest.mark.parametrize(
    ("serial", "words"),
    [
        ("500001", "order's or a line's own number"),
        ("50000177", "order's or a line's own number"),
        ("6X 1234-5678", "tracking number"),
        ("6x12345678", "tracking number"),
        ("IPAD9 64 SIL", "a SKU"),
        ("ipad9-64-sil", "a SKU"),
        ("iPad 9 64GB", "product's title"),
        ("DMQK20R1GHK9", None),
    ],
)
def test_a_serial_number_is_nothing_else_of_its_order(serial: str, words: str | None) -> None:
    """The order's id, a line's, its tracking number, its SKU and its title are no serial numbers."""
    line = LineFacts(50000177, 2, 1, "IPAD9-64-SIL", product="iPad 9 64GB - Silver")
    order = OrderFacts(500001, (line,))
    numbers = ["6X12345678"]
    decision = judge_device(
        Identifiers(None, serial),
        line,
        order,
        tracking_numbers=numbers,
        ships_with_order=False,
        resale_after=DAYS,
        now=NOW,
    )
    assert decision.verdict == ("refuse" if words else "send")
    assert (words or "") in decision.reason


@pytest.mark.parametrize("registered", ["C02ABCDEFGHJ", "c02abcdefghj", "S/N: C02 ABCD EFGHJ", "SN C02ABCDEFGHJ"])
def test_a_serial_number_in_another_spelling_is_the_same(registered: str) -> None:
    """Case, blanks and a label make no other number of it: it is registered already."""
    order = _order(LineFacts(11, 3, 1, serial_number=registered))
    assert judge_identifiers(order, 11, Identifiers(None, "C02ABCDEFGHJ")).verdict == "done"


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("353918057982918", "the IMEI's check digit is wrong: a digit was mistyped or swapped"),
        ("123456789012347", "the IMEI is a placeholder"),
        ("004999010640000", "the IMEI begins with 00, as on phones that have lost their own: read it from the box"),
        ("C02ABCDEFGHJ", "the IMEI contains something other than digits"),
        ("000", "the IMEI is all zeros"),
        (IMEI[:14], "the IMEI has 14 digits: its check digit is missing and is not made up here"),
        (IMEI + OTHER, "the IMEI has 30 digits: a line takes one of a phone's two IMEIs"),
        (IMEI + "01", "the IMEI has 17 digits instead of 15"),
    ],
)
def test_a_person_reads_what_is_wrong_with_an_imei(text: str, reason: str) -> None:
    """The whole message: what it is, and what to do where that is not plain."""
    with pytest.raises(IdentifierError) as refusal:
        clean_imei(text)
    assert str(refusal.value) == reason


def test_a_device_row_gives_its_numbers_or_says_why_not() -> None:
    """One of the two is enough; a number that is unusable keeps back the other."""
    assert identifiers_of(Device(1, imei=f"IMEI: {IMEI}")) == Identifiers(IMEI)
    assert identifiers_of(Device(1, imei=IMEI, serial_number="S/N: C02X9")) == Identifiers(IMEI, "C02X9")
    for device, reason in (
        (Device(1), "waits: neither IMEI nor serial number is given"),
        (Device(1, imei=IMEI, serial_number="2026-03-01"), "the serial number is a date"),
        (Device(1, imei="0", serial_number="C02X9"), "the IMEI is all zeros"),
    ):
        with pytest.raises(IdentifierError) as refusal:
            identifiers_of(device)
        assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (Device(1, 99), "order line 99 is not one of this order"),
        (Device(1, 12, "A"), "the row names a line and a SKU that do not belong together"),
        (Device(1, None, "C"), "the order has no line with this SKU"),
        (Device(1, None, "B"), "2 lines fit: name the orderline_id"),
    ],
)
def test_a_person_reads_why_a_device_has_no_line(device: Device, reason: str) -> None:
    """The whole message names the line, or how to choose one."""
    with pytest.raises(IdentifierError) as refusal:
        line_of(device, _order(*LINES))
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("line", "wanted", "reason"),
    [
        ({"orderline_id": 12}, Identifiers(IMEI), "the order has no such line any more"),
        (
            {"quantity": 2},
            Identifiers(IMEI),
            "the line has a quantity of 2: Back Market takes identifiers for 1 only",
        ),
        (
            {"imei": OTHER},
            Identifiers(IMEI),
            "another IMEI is registered already, and Back Market never corrects one",
        ),
        (
            {"serial_number": "C02X8"},
            Identifiers(None, "C02X9"),
            "another serial number is registered already, and Back Market never corrects one",
        ),
        ({"state": 1}, Identifiers(IMEI), "waits: the line is not accepted yet"),
        ({"state": 4}, Identifiers(IMEI), "the line is cancelled or refunded"),
    ],
)
def test_a_person_reads_why_an_identifier_is_not_sent(line: dict[str, Any], wanted: Identifiers, reason: str) -> None:
    """What stands in the ledger beside a device that waits or is refused."""
    order = _order(LineFacts(**{"orderline_id": 11, "state": 2, "quantity": 1, **line}))
    assert judge_identifiers(order, 11, wanted).reason == reason


@pytest.mark.parametrize(
    ("serial", "reason"),
    [
        ("500001", "the serial number is the order's or a line's own number"),
        ("6X12345678", "the serial number is the order's tracking number"),
        ("IPAD9-64-SIL", "the serial number is a SKU of the order"),
        ("iPad964GB", "the serial number is a part of the product's title"),
    ],
)
def test_a_person_reads_what_else_a_serial_number_is(serial: str, reason: str) -> None:
    """The words name the field it was copied from."""
    line = LineFacts(50000177, 2, 1, "IPAD9-64-SIL", product="iPad 9 64GB - Silver")
    order = OrderFacts(500001, (line,), tracking_number="6X12345678")
    decision = judge_device(Identifiers(None, serial), line, order, ships_with_order=False, resale_after=DAYS, now=NOW)
    assert decision == Decision("refuse", reason)


RETURNED = (
    "if the device came back, refund that line, or load the statement that refunds it; if not, correct the row. "
    "Without a known return it goes 90 days after that (backmarket_device_resale_days)"
)


def test_a_person_reads_who_else_has_a_number() -> None:
    """Which number, of which line, how that stands, and what to do."""
    opened, lately, undated = LineUse(77, 7, 2), LineUse(77, 7, 3, NOW), LineUse(77, 7, 3)
    place = "also belongs to order line 77 of order 7"
    assert [
        _judge(Identifiers(IMEI), with_imei=[opened]).reason,
        _judge(Identifiers(None, "C02X9"), with_serial=[lately]).reason,
        _judge(Identifiers(IMEI), with_imei=[undated]).reason,
    ] == [
        f"this IMEI {place}, which is open: one of the two rows is wrong",
        f"this serial number {place}, shipped on 2026-03-01: {RETURNED}",
        f"this IMEI {place}, shipped: {RETURNED}",
    ]


def test_a_person_reads_with_which_orders_a_device_was_sold_before() -> None:
    """Each earlier line once, by its id, with how it ended."""
    uses = [
        LineUse(75, 5, 3, None, is_refunded=True),
        LineUse(74, 4, 3, NOW - 2 * DAYS),
        LineUse(73, 3, 3, NOW, is_refunded=True),
        LineUse(72, 2, 6),
        LineUse(71, 1, 4),
        LineUse(71, 1, 4),
    ]
    decision = _judge(Identifiers(IMEI), with_imei=uses)
    assert decision.reason == (
        "sold before: order 1, line 71 (cancelled); order 2, line 72 (refunded after shipping); "
        "order 3, line 73 (shipped on 2026-03-01, refunded by statement); "
        "order 4, line 74 (shipped on 2025-09-02); order 5, line 75 (shipped, refunded by statement)"
    )
    assert [use.orderline_id for use in earlier_uses(LINES[0], uses)] == [71, 72, 73, 74, 75]
    assert told_earlier_orders([7, 9]) == "the device was sold before, with order 7, 9"


@pytest.mark.parametrize(
    ("registered", "missing"),
    [
        ({}, Identifiers(IMEI, "S")),
        ({"imei": IMEI}, Identifiers(None, "S")),
        ({"serial_number": "S"}, Identifiers(IMEI)),
        ({"imei": IMEI, "serial_number": "S"}, Identifiers()),
    ],
)
def test_each_number_that_a_line_lacks_is_sent(registered: dict[str, str], missing: Identifiers) -> None:
    """Each by itself, whatever the other's state."""
    assert still_missing(LineFacts(1, 3, 1, **registered), Identifiers(IMEI, "S")) == missing


def test_a_device_is_named_by_either_sku() -> None:
    """The seller's or the listing's; where two lines may be meant, or the map has a bad row, nothing is guessed."""
    order = _order(LineFacts(1, 2, 1, "L1"), LineFacts(2, 2, 1, "L2"))
    feeding = SkuMap([MapRow("A", "l1"), MapRow("B", "L1"), MapRow("B", "L2")], ["BAD", "L2"])
    for device in (Device(7, sku=" a"), Device(7, sku="L1"), Device(7, 1, "B"), Device(7, 1, "A")):
        assert line_of(device, order, feeding).orderline_id == 1
    assert line_of(Device(7, 2, "L2"), order, feeding).orderline_id == 2
    for device, why in (
        (Device(7, sku="B"), "2 lines fit"),
        (Device(7, 2, "A"), "do not belong together"),
        (Device(7, sku="BAD"), "^seller.sku_map has a row of this SKU that cannot be used: name the orderline_id$"),
        (Device(7, sku="L2"), "^seller.sku_map has a row of this SKU"),
        (Device(7, 1, "BAD"), "do not belong together"),
    ):
        with pytest.raises(IdentifierError, match=why):
            line_of(device, order, feeding)
