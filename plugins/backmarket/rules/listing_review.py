"""Names what this version does not know of a listing: it is stored as sent, and reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# Seen in production; Back Market adds to them without notice.
GRADES = ("EXCELLENT", "VERY_GOOD", "GOOD", "FAIR", "STALLONE", "PREMIUM")
PUBLICATION_STATES = (0, 1, 2, 3, 4)

# What surrounds a listing in some answers.
_ENVELOPE = frozenset({"statuscode", "shippings_response"})


def unknown_parts(
    grade: str | None, publication_state: int | None, document: Iterable[str], *, known_fields: Collection[str]
) -> Iterator[str]:
    """Name the grade, the state and the fields of a listing that are new to this version.

    :param document: the names of the fields as they came.
    :param known_fields: the names of the fields that are understood.
    """
    if grade is not None and grade not in GRADES:
        yield f"grade {grade}"
    if publication_state is not None and publication_state not in PUBLICATION_STATES:
        yield f"publication_state {publication_state}"
    for name in document:
        if name not in known_fields and name not in _ENVELOPE:
            yield f"field {name}"
