"""What all documents have in common: lenient reading, and a record of what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Document(BaseModel):
    """A frozen document; numbers may come as text, text as numbers, and fields nobody knows are no error.

    Back Market writes ``''`` where it has nothing to say: that is read as None.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_blank_as_none(cls, data: Any) -> Any:
        # For the whole document at once: a validator on each field would double the time of reading an order.
        if not isinstance(data, dict):
            return data
        return {name: None if isinstance(value, str) and not value.strip() else value for name, value in data.items()}


EmptyIfNull = BeforeValidator(lambda value: () if value is None else value)

OptionalText = str | None
OptionalInteger = int | None
OptionalFlag = bool | None
OptionalAmount = Decimal | None
"""Money in the currency beside it, exact."""

Read = TypeVar("Read", bound=Document)


@dataclass(frozen=True)
class Unreadable:
    """A document that does not fit its model, kept whole.

    :param document: as it came; it may hold personal data.
    :param reason: which fields are at fault and why, without their values.
    :param key: the document's id where it has one.
    """

    document: object = field(repr=False)
    reason: str
    key: str | None


def read_each(
    model: type[Read], documents: Iterable[object], *, key: str, context: Mapping[str, Any]
) -> tuple[list[Read], list[Unreadable]]:
    """Read documents independently of each other: one that does not fit never costs the others.

    :param key: the field that names a document.
    :param context: what the model needs to know besides, such as the server's time.
    """
    read: list[Read] = []
    unreadable: list[Unreadable] = []
    for document in documents:
        try:
            read.append(model.model_validate(document, context=context))
        except ValidationError as error:
            unreadable.append(Unreadable(document, reason_of(error), _key(document, key)))
    return read, unreadable


def reason_of(error: ValidationError) -> str:
    """Name the fields at fault and the kind of fault, without any value: values may be personal."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['type']}" for fault in faults)


def _key(document: object, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    return str(value) if isinstance(value, int | str) and value != "" else None
