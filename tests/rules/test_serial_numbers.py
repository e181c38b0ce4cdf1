"""A serial number is registered only where it can be nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.rules.serial_numbers import SerialNumberError, clean_serial_number, serial_key


@pytest.mark.parametrize("text", [None, "", "  ", "\u200b", "''", "?"])
def test_nothing_is_nothing(text: str | None) -> None:
    """Empty fields ask for nothing."""
    assert clean_serial_number(text) is None


@pytest.mark.parametrize(
    ("text", "serial"),
    [
        ("C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("c02abcdefghj", "c02abcdefghj"),
        ("S/N: C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("S/N C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("SN C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("SN: C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("Serial: C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("Serial No. C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("serial number #C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("SERIAL_NUMBER=C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("s.n. C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("S / N : C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("Ser. No. C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("Seriennummer: C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("Numéro de série : C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("N° série C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("C02A BCDE FGHJ", "C02ABCDEFGHJ"),
        ("\u200bC02A\u00a0BCDE\u00a0FGHJ\ufeff", "C02ABCDEFGHJ"),
        ("'C02ABCDEFGHJ", "C02ABCDEFGHJ"),
        ("*C02ABCDEFGHJ*", "C02ABCDEFGHJ"),
        ("C02ABCDEFGHJ.", "C02ABCDEFGHJ"),
        ("R58M12ABCDE", "R58M12ABCDE"),
        ("5CG1234ABC", "5CG1234ABC"),
        ("PF0ABCDE", "PF0ABCDE"),
        ("Q7XWYTCVHK", "Q7XWYTCVHK"),
        ("JQWXZTB", "JQWXZTB"),
        ("XAW10012345678", "XAW10012345678"),
        ("012345678901", None),
        ("047201938127", "047201938127"),
        ("C3331350123456", "C3331350123456"),
        ("VS7-UK-ABC1234A", "VS7-UK-ABC1234A"),
        ("5C-AA-FD-12-34-56:7", "5C-AA-FD-12-34-56:7"),
        ("SN0042", "SN0042"),
        ("GXHKTAMQ", "GXHKTAMQ"),
        ("C02A", "C02A"),
        ("C02A" * 12 + "XY", "C02A" * 12 + "XY"),
    ],
)
def test_serial_numbers_of_all_makers_go(text: str, serial: str | None) -> None:
    """Without a label, blanks and what a spreadsheet or scanner puts around; upper and lower case stay."""
    if serial is None:
        with pytest.raises(SerialNumberError):
            clean_serial_number(text)
    else:
        assert clean_serial_number(text) == serial


PLACEHOLDERS = """
    YOUR_SERIAL_NUMBER|your serial number|<YOUR SERIAL>|N/A|n/a|n.a.|NA|#N/A|#REF!|-|--|0|00|000000|None|none|null|
    NULL|nan|undefined|UNKNOWN|Unbekannt|inconnu|TBD|tba|xxx|XXXXXXXX|C02XXXXXXXX|AAAA|aaaaaaaa|no serial|NO SERIAL
    NUMBER|SERIAL|Serial Number|S/N|SN|S/N:|SN: n/a|Serial: unknown|test|TEST|Test1|test123|dummy|sample|placeholder|
    123456|1234567|12345678|123456789|1234567890|0123456789|987654321|ABC123|abcd1234|ABCDEFGH|qwerty|SN123456|SN1|
    121212|123123|ABABAB|Default string|To Be Filled By O.E.M.|System Serial Number|Not Specified|Not Available|
    true|false|yes|ohne|keine|sans|aucun|ninguno|nessuno|geen|same|see above|pending|missing|••••••|####
"""


@pytest.mark.parametrize("text", [" ".join(text.split()) for text in PLACEHOLDERS.split("|")])
def test_a_placeholder_is_refused(text: str) -> None:
    """Whatever people, exports, spreadsheets and firmware write where there is no serial number."""
    with pytest.raises(SerialNumberError):
        clean_serial_number(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2.11E+11", "spreadsheet"),
        ("2,11E+11", "spreadsheet"),
        ("1.23457E+14", "spreadsheet"),
        ("3,57e+14", "spreadsheet"),
        ("211000000000.0", "spreadsheet"),
        ("211000000000,00", "spreadsheet"),
        ("1234.56", "decimals"),
        ("353918057982916", "an IMEI"),
        ("353918057982918", "an IMEI, or a mistyped one"),
        ("35-391805-798291-6", "an IMEI"),
        ("IMEI 353918057982916", "an IMEI"),
        ("IMEI: 353918057982916", "an IMEI"),
        ("35391805798291", "an IMEI without its check digit"),
        ("3539180579829101", "software version"),
        ("A0000012345678", "MEID"),
        ("89049032000001000000000000000000", "EID"),
        ("8933012345678901234", "SIM card"),
        ("QA123456789GB", "tracking number"),
        ("QA 1234 5678 9GB", "tracking number"),
        ("RR123456785FR", "tracking number"),
        ("1Z999AA10123456784", "tracking number"),
        ("1Z 999 AA1 01 2345 6784", "tracking number"),
        ("JJD000390007882223456", "tracking number"),
        ("JD014600006281230000", "tracking number"),
        ("6A12345678901", "tracking number"),
        ("TBA305512345678", "tracking number"),
        ("3SABCD1234567", "tracking number"),
        ("00340434161234567890", "tracking number"),
        ("4006381333931", "EAN"),
        ("2026-03-01", "a date"),
        ("01.03.2026", "a date"),
        ("AA:BB:CC:DD:EE:FF", "MAC"),
        ("00008030-001A2B3C4D5E6F70", "UDID"),
        ("https://serial.example/C02ABCDEFGHJ", "web address"),
        ("someone@example.com", "e-mail"),
        ('="C02ABCDEFGHJ"', "formula"),
        ("C02ABCDEFGHJ/C02ABCDEFGHK", "more than one"),
        ("C02ABCDEFGHJ, C02ABCDEFGHK", "more than one"),
        ("C02ABCDEFGHJ C02ABCDEFGHK", "more than one"),
        ("C02ABCDEFGHJ and C02ABCDEFGHK", "more than one"),
        ("C02ABCDEFGHJ black", "words"),
        ("see the box", "word"),
        ("SAMSUNG", "a word"),
        ("refurbished", "a word"),
        ("C02ABCDEFGHJ (used)", "characters that no"),
        ("${C02ABCDEFGHJ}", "characters that no"),
        ("C02ÄBCDEFGHJ", "plain letters"),
        ("C0２ABCDEFGHJ", "plain letters"),  # noqa: RUF001 - a wide digit is meant
        ("a\nb1234", "cannot be printed"),
        ("C02", "fewer than 4"),
        ("C02A" * 12 + "XYZ", "more than 50"),
    ],
)
def test_what_is_something_else_is_refused_with_its_name(text: str, words: str) -> None:
    """Shortened numbers, other numbers, two numbers, prose, and what no serial number looks like."""
    with pytest.raises(SerialNumberError, match=re.escape(words)):
        clean_serial_number(text)


@given(st.text(max_size=60))
def test_what_goes_out_is_plain_and_short(text: str) -> None:
    """4 to 50 letters, digits and inner points, dashes or colons; cleaning it again changes nothing."""
    try:
        serial = clean_serial_number(text)
    except SerialNumberError:
        return
    if serial is not None:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{3,49}", serial)
        assert clean_serial_number(serial) == serial


def test_spellings_of_one_number_have_one_key() -> None:
    """Case, blanks, dashes and a label are gone."""
    spellings = ("C02ABCDEFGHJ", "c02 abcd efghj", "S/N: C02-ABCD-EFGHJ", "SN C02ABCDEFGHJ", "Serial No. C02ABCDEFGHJ")
    assert {serial_key(spelling) for spelling in spellings} == {"C02ABCDEFGHJ"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C02ABCDEFGHJ (used)", "contains characters that no serial number has, or is more than one"),
        ("1234.56", "is a number with decimals: format the column as text"),
        ("AA:BB:CC:DD:EE:FF", "is a network address (MAC)"),
        ("SAMSUNG", "is a word"),
        ("ABC123", "is a placeholder"),
        ("121212", "is a placeholder"),
        ("353918057982918", "is an IMEI, or a mistyped one: it belongs into imei"),
        ("X353918057982916", "is an IMEI with something around it: it belongs into imei"),
        (
            "4006381333931",
            "is an EAN, the number of a product: register it in the Back Office if it truly is this device's own",
        ),
        ("2026-03-01", "is a date"),
        ("2026 -03-01", "is a date"),
        ("2026-03-01T00:00:00", "is a date"),
        ("2026-03-01 14:05", "is a date"),
        ("01.03.2026 14:05", "is a date"),
        ("01:30:00", "is a time"),
        ("SN042", "is a placeholder"),
        ("1Z 999 AA1 01 2345 6784", "is a parcel's tracking number"),
    ],
)
def test_a_person_reads_what_a_text_is_instead(text: str, reason: str) -> None:
    """The whole message: what it is, and what to do where that is not plain."""
    with pytest.raises(SerialNumberError) as refusal:
        clean_serial_number(text)
    assert str(refusal.value) == f"the serial number {reason}"
