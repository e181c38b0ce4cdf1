"""Tells the numbers that people and programs give from what they put where there is none.

Columns for a device's or a parcel's number hold placeholders, numbers that a spreadsheet shortened, links and labels
too. What Back Market registers once stays for ever, so such texts are known here by name.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_SHOWN = 40
"""Of a text that cannot be used, a message repeats so many characters."""

# Quotation marks, straight and typographic, and the asterisks around a Code 39 bar code.
_AROUND = "'\"`*\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
_TRAILING = ".,;:!?"
_WEB_ADDRESS = re.compile(r"^(https?:|www\.)|://|\.[a-z]{2,}/", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"[+-]?\d+([.,]\d+[eE][+-]?\d+|[eE][+-]\d+)")
_WITH_DECIMALS = re.compile(r"\d+[.,]0+")
_MASKED = re.compile(r"x{4,}|\*{3,}", re.IGNORECASE)
_JOINING = frozenset("and or und oder et ou y o e i en of og och plus".split())
# Numbers are written in groups of up to so many characters; a longer one is a number by itself.
_LONG_GROUP = 8
_ALIKE_FROM = 5
_PHONE_FROM = 7
_RUNS = ("01234567890123456789", "98765432109876543210")

# What stands for nothing, as letters alone in lower case: in the languages of Back Market's markets, in exports of
# programs, in spreadsheets' errors and in the firmware of computers without a serial number.
_NOTHING = frozenset(
    """
    na none null nil nan nul no not non yes true false undefined unknown unk unbekannt inconnu desconocido sconosciuto
    onbekend desconhecido okand tbd tba tbc todo pending missing empty blank void nothing notavailable notapplicable
    notfound notspecified notprovided notgiven notset notyet notyetavailable notassigned unavailable unspecified invalid
    error ref value name num div default defaultstring tobefilledbyoem systemserialnumber chassisserialnumber oem
    serial serialno serialnr serialnumber sn sno noserial noserialnumber nosn noimei withoutserial seriennummer
    numerodeserie serienummer imei meid ean sku test tests testing tester dummy sample example fake placeholder temp tmp
    ohne keine kein ka aucun aucune sans neant ninguno ninguna sin nessuno nessuna senza geen zonder nvt nc nd ns
    yourserialnumber yourserial yourimei yourtrackingnumber yourtracking enterserialnumber entertrackingnumber
    serialnumberhere trackingnumberhere insertserialnumber inserttrackingnumber string text number abovesee seeabove
    seebelow seebox seeinvoice ditto idem same same asabove tracking trackingnumber trackingno trackingnr notracking
    notrackingnumber untracked nottracked intransit shipped sent delivered dispatched processing
    """.split()
)


def shortened(text: str) -> str:
    """Return a text as a message may repeat it: its first characters."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def shown_of_order(text: str) -> str:
    """Return a text about an order as it may stand in logs and tables, where a person's data may not.

    An e-mail address is such data; many digits may be a telephone number, and a long text in the wrong column a
    person's address.
    """
    is_long = len(text) > LONGEST_SHOWN or sum(map(str.isdigit, text)) >= _PHONE_FROM
    is_shown = "@" not in text and text.isprintable() and not is_long
    return text if is_shown else "a text that is not shown here"


def tidy(text: str | None) -> str:
    """Return a text without what surrounds it by accident; empty where nothing is left.

    Invisible characters are dropped, blanks of every kind become one space, and quotation marks, a spreadsheet's
    leading apostrophe, a bar code's asterisks and trailing punctuation are taken off.
    """
    visible = "".join(letter for letter in text or "" if unicodedata.category(letter) != "Cf")
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in visible)
    before, after = None, spaced
    while after != before:
        before, after = after, after.strip().strip(_AROUND).rstrip(_TRAILING)
    return re.sub(" +", " ", after)


def letters_and_digits(text: str) -> str:
    """Return what a number consists of, in upper case: two spellings of one number have the same."""
    return re.sub("[^A-Za-z0-9]", "", text).upper()


def why_no_number(text: str) -> str | None:
    """Return why a tidied text is no number of a device or a parcel, for a person; None where it may be one."""
    if text.startswith("="):
        return "is a spreadsheet's formula"
    if _WEB_ADDRESS.search(text):
        return "is a web address"
    if "@" in text:
        return "is an e-mail address"
    if _SCIENTIFIC.fullmatch(text) or _WITH_DECIMALS.fullmatch(text):
        return "went through a spreadsheet that made a number of it: digits may be lost; format the column as text"
    if not text.isprintable():
        return "contains characters that cannot be printed"
    if _is_placeholder(text):
        return "is a placeholder"
    if not text.isascii():
        return "contains characters other than plain letters and digits"
    return None


def why_not_one(text: str) -> str | None:
    """Return why the groups of a number that is written with blanks are not one number; None where they are."""
    groups = text.split(" ")
    if len(groups) == 1:
        return None
    if any(group.lower() in _JOINING for group in groups) or _are_numbers(groups):
        return "is more than one number"
    # Two letters may be a number's country.
    has_word = any(group.isalpha() and len(group) > 2 for group in groups)
    has_number = any(len(group) >= _LONG_GROUP and not group.isalpha() for group in groups)
    if not any(letter.isdigit() for letter in text) or (has_word and has_number):
        return "contains words"
    return None


def is_plain_run(digits: str) -> bool:
    """Tell whether digits are none at all, all the same, or simply count up or down."""
    return len(set(digits)) <= 1 or any(digits in run for run in _RUNS)


def _is_placeholder(text: str) -> bool:
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(letter for letter in plain if letter.isalpha())
    digits = "".join(letter for letter in plain if letter.isdigit())
    if len(set(letters + digits)) <= 1 or _MASKED.search(text):
        return True
    is_word = letters in _NOTHING or letters == "xxx"
    # As TEST1, SN001 and serial123456.
    return is_word and (len(digits) <= 3 or is_plain_run(digits))


def _are_numbers(groups: list[str]) -> bool:
    """Tell whether at least two groups are long, or look the same, as 6X123 and 6X124 do."""
    shapes = [re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", group.upper())) for group in groups]
    alike = [shape for shape in shapes if len(shape) >= _ALIKE_FROM and {"A", "9"} <= set(shape)]
    return sum(len(group) >= _LONG_GROUP for group in groups) > 1 or len(set(alike)) < len(alike)
