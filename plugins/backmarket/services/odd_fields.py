"""Reports fields of an unexpected form, once per kind of field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from backmarket.services.log import Log


@dataclass
class OddFields:
    """The odd fields that one task met.

    :param found: which documents have which odd field, such as ``orderlines.backcare_price: int_from_float``.
    """

    found: dict[str, set[Hashable]] = field(default_factory=dict)

    def note(self, odd_fields: Iterable[str], document_id: Hashable) -> None:
        """Remember a document's odd fields; one that is read again counts once."""
        for odd in odd_fields:
            self.found.setdefault(odd, set()).add(document_id)

    def tell(
        self, log: Log, document: str, *, where: str = "", kept: str = "stored as empty, kept in the raw document"
    ) -> None:
        """Log a warning for each kind of odd field.

        :param document: what each document is, such as ``order``.
        :param where: of which market.
        :param kept: what became of the field.
        """
        from backmarket.api.models.document import fault_in_words

        for odd, ids in sorted(self.found.items()):
            name, _, kind = odd.partition(": ")
            log.warning(
                "Field %s has an unexpected form (%s) in %s: %s.",
                name,
                fault_in_words(kind),
                counted(len(ids), document) + where,
                kept,
            )
