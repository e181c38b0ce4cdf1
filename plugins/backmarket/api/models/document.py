"""What all documents have in common: lenient reading, and a record of what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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

# A number that no column can hold is a fault of its document alone: found here, it costs no other.
Identifier = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Amount = Annotated[Decimal, Field(max_digits=28, allow_inf_nan=False)]

OptionalText = str | None
OptionalIdentifier = Identifier | None
OptionalInteger = Integer | None
OptionalFlag = bool | None
OptionalAmount = Amount | None
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
