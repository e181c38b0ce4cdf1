"""Tells a device's serial number from all else that is put into its column."""

from __future__ import annotations

import re

from backmarket.rules.given_texts import is_plain_run, letters_and_digits, tidy, why_no_number, why_not_one

_SHORTEST, _LONGEST = 4, 50
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]*")
_LABEL = re.compile(
    r"(?:serial(?:[ _-]?(?:number|num|no|nr))?|ser\.? ?(?:no|nr)|s[ ./]*n|serien-?(?:nummer|nr)|serienummer|"
    r"num[eé]ro de s[eé]rie|n[uú]mero de serie|numero di serie|n[°º] ?(?:de )?s[eé]rie|matricola)(?: *[:#=]+ *|\.? +)",
    re.IGNORECASE,
)
# As in the function `backmarket.serial_key`.
_LABEL_IN_KEY = re.compile("^(SERIALNUMBER|SERIALNO|SERIALNR|SERIAL|SN)")
_IMEI_LENGTH = 15
_EAN_LENGTH = 13
_KEYBOARD = frozenset("abc abcd abcde abcdef abcdefg abcdefgh abcdefghij qwerty qwertz azerty asdf asdfgh".split())

# Matched against letters and digits alone, in upper case. Form only: a wrong check digit makes no serial number of it.
_OTHER_FORMS = (
    ("a parcel's tracking number", r"[A-Z]{2}\d{9}[A-Z]{2}"),  # Universal Postal Union, S10
    ("a parcel's tracking number", r"1Z[A-Z0-9]{16}"),  # UPS
    ("a parcel's tracking number", r"JJ?D\d{12,20}"),  # DHL, Yodel
    ("a parcel's tracking number", r"\d[A-Z]\d{11}"),  # Colissimo
    ("a parcel's tracking number", r"TB[A-Z]\d{12}"),  # Amazon
    ("a parcel's tracking number", r"3S[A-Z]{2,6}\d{7,13}"),  # PostNL
    ("a parcel's tracking number", r"[HT]\d{15,19}"),  # Hermes, Evri
    ("the number of a SIM card or an eSIM (ICCID, EID)", r"89\d{16,18}|89\d{30}"),
    ("a parcel's tracking number", r"\d{20,}"),  # SSCC, USPS
    ("a MEID", r"A[01]0000[0-9A-F]{8}"),
    ("an IMEI without its check digit, or with a software version", r"(35|86)\d{12}|(35|86)\d{14}"),
    ("the identifier of an Apple device (UDID)", r"[0-9A-F]{40}|0000\d{4}[0-9A-F]{16}"),
)
_CLOCK = r"\d\d?:\d\d(:\d\d(\.\d+)?)?"
# A workbook's cell that has been made a date has a time, too: 2026-03-01T00:00:00.
_DATE = re.compile(rf"((19|20)\d\d[-.]\d\d?[-.]\d\d?|\d\d?[-.]\d\d?[-.](19|20)\d\d)(T?{_CLOCK}Z?)?")
_TIME = re.compile(_CLOCK)


class SerialNumberError(ValueError):
    """A text is no serial number, or not beyond doubt; the message says why."""


def clean_serial_number(text: str | None) -> str | None:
    """Return a serial number, without a label in front and without blanks; None where there is none.

    :raises SerialNumberError: for whatever may be something else.
    """
    serial = tidy(text)
    if label := _LABEL.match(serial):
        serial = tidy(serial[label.end() :]) or serial
    if not serial:
        return None
    if reason := why_no_number(serial):
        raise SerialNumberError(f"the serial number {reason}")
    if not _FORM.fullmatch(serial):
        raise SerialNumberError("the serial number contains characters that no serial number has, or is more than one")
    if re.fullmatch(r"\d+\.\d+", serial):
        raise SerialNumberError("the serial number is a number with decimals: format the column as text")
    if other := _what_else(serial.replace(" ", "")):
        raise SerialNumberError(f"the serial number is {other}")
    if reason := why_not_one(serial):
        raise SerialNumberError(f"the serial number {reason}")
    serial = serial.replace(" ", "")
    if len(serial) > _LONGEST:
        raise SerialNumberError(f"the serial number has more than {_LONGEST} characters")
    if len(serial) < _SHORTEST:
        raise SerialNumberError(f"the serial number has fewer than {_SHORTEST} characters")
    return serial


def serial_key(text: str) -> str:
    """Return what all spellings of one serial number have in common: case, blanks, punctuation and label are gone.

    The database's function ``backmarket.serial_key`` returns the same.
    """
    return _LABEL_IN_KEY.sub("", letters_and_digits(text))


def _what_else(serial: str) -> str | None:
    """Return what a text is rather than a serial number; None where it may be one."""
    from stdnum import ean, imei, mac

    plain = letters_and_digits(serial)
    if mac.is_valid(serial):
        return "a network address (MAC)"
    # Serial numbers without a digit occur; unlike words, they have many consonants in a row.
    if plain.isalpha() and re.search("[AEIOUY]", plain) and not re.search("[^AEIOUY]{4}", plain):
        return "a word"
    letters, digits = re.sub(r"\d", "", plain).lower(), re.sub(r"\D", "", plain)
    if (not letters or letters in _KEYBOARD) and is_plain_run(digits):
        return "a placeholder"
    if re.fullmatch(r"(.{1,3})\1+", plain):
        return "a placeholder"
    if plain.isdigit() and len(plain) == _IMEI_LENGTH:
        return "an IMEI, or a mistyped one: it belongs into imei"
    if any(imei.is_valid(run) for run in re.findall(rf"(?<!\d)\d{{{_IMEI_LENGTH}}}(?!\d)", plain)):
        return "an IMEI with something around it: it belongs into imei"
    if len(plain) == _EAN_LENGTH and ean.is_valid(plain):
        return "an EAN, the number of a product: register it in the Back Office if it truly is this device's own"
    if _DATE.fullmatch(serial):
        return "a date"
    if _TIME.fullmatch(serial):
        return "a time"
    return next((name for name, form in _OTHER_FORMS if re.fullmatch(form, plain)), None)
