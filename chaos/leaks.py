"""Looks for what no log may hold: the token, who customers are, how to reach them, and what is written to and fro."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from chaos.evidence import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Json = dict[str, Any]

_PERSONAL = (
    "first_name", "last_name", "firstName", "lastName", "street", "street2", "phone", "phoneNumber", "email",
    "first_name_pronunciation", "last_name_pronunciation",
)  # fmt: skip
# Words that stand in every log: the sandbox has customers of these names on purpose.
_COMMON_WORDS = frozenset({"NULL", "Tables", "\\N"})
_SHORTEST = 2
_WORD = re.compile(r"\w+")


def find_leaks(logs: Iterable[Path], orders: Iterable[Json], token: str, texts: Iterable[str] = ()) -> Iterator[Loss]:
    """Search files for the token, for whole values of addresses and for whole texts; a value counts once a file.

    :param texts: what customers and sellers have written to each other.
    """
    by_word = _by_rarest_word(personal_values(orders) | set(texts))
    for log in logs:
        text = log.read_text(errors="replace")
        if token in text:
            yield Loss("secret in a log", log.name, "the token")
        found = set()
        for word in by_word.keys() & set(_WORD.findall(text)):
            found |= {value for spelling, value in by_word[word] if _stands_in(spelling, text)}
        yield from (Loss("secret in a log", log.name, f"of a customer: {value}") for value in sorted(found))


def personal_values(orders: Iterable[Json]) -> set[str]:
    """Give every value of an address that tells who somebody is, as documents have it."""
    found = set()
    for order in orders:
        for address in (order["shipping_address"], order["billing_address"]):
            values = (str(address.get(name) or "").strip() for name in _PERSONAL)
            found |= {value for value in values if len(value) >= _SHORTEST and value not in _COMMON_WORDS}
    return found


def _by_rarest_word(values: set[str]) -> dict[str, list[tuple[str, str]]]:
    """Give spellings, each with its value, by the word of theirs that the fewest others have.

    A log is then cut into words once, however many thousand customers there are.
    """
    spellings = {spelling: value for value in values for spelling in _spellings(value)}
    words = {spelling: _WORD.findall(spelling) for spelling in spellings}
    frequency = Counter(word for found in words.values() for word in set(found))
    by_word: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for spelling, value in spellings.items():
        if words[spelling]:
            by_word[min(words[spelling], key=lambda word: (frequency[word], -len(word)))].append((spelling, value))
    return by_word


def _spellings(value: str) -> set[str]:
    """Write a value as it is, and as Python and JSON write it."""
    return {value, ascii(value)[1:-1], repr(value)[1:-1], json.dumps(value)[1:-1]}


def _stands_in(spelling: str, text: str) -> bool:
    """Tell whether a text holds it, and not within a longer word."""
    return spelling in text and re.search(rf"(?<!\w){re.escape(spelling)}(?!\w)", text) is not None
