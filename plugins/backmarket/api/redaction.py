"""Takes personal data out of texts that Back Market writes: its reasons for a refusal end up in logs and tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# As long as one may be (RFC 5321): without bounds, one long word without an @ would take hours.
_EMAIL = re.compile(r"[^\s@<>()\[\]\"',;:]{1,64}@[^\s@<>()\[\]\"',;:]{1,255}\.\w+")
# A number is one of a telephone where it begins as such: order ids and IMEIs begin with neither.
_PHONE = re.compile(r"(?<![\w.])(?:\+\d|0\d)(?:[ ./()-]{0,2}\d){6,13}(?![\w])")
_SHORTEST_NAME = 3
_SHORTEST_PIECE = 20


def without_contacts(text: str) -> str:
    """Replace e-mail addresses and telephone numbers."""
    return _PHONE.sub("(phone)", _EMAIL.sub("(e-mail)", text))


def without_values(text: str, values: Iterable[str | None]) -> str:
    """Replace values that are known to be personal, in any case of letters.

    :param values: names, streets and the like; what is shorter than three characters says nothing of anybody.
    """
    known = {value for value in values if value and len(value) >= _SHORTEST_NAME}
    if not known:
        return text
    pattern = "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in sorted(known, key=len, reverse=True))
    return re.sub(pattern, "(personal)", text, flags=re.IGNORECASE)


def repeats(text: str, sent: str) -> bool:
    """Tell whether a text repeats what was sent: all of it, or 20 characters in a row, in any case of letters."""
    text, sent = (" ".join(each.casefold().split()) for each in (text, sent))
    pieces = range(max(len(sent) - _SHORTEST_PIECE, 0) + 1)
    return bool(sent) and any(sent[start : start + _SHORTEST_PIECE] in text for start in pieces)
