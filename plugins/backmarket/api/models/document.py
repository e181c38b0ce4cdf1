"""What all documents have in common: lenient reading, and a record of what could not be read.

A document needs only what is acted on: ids, states, lines, SKU, quantity and the prices that are compared. Without
one of these it is unreadable and goes to quarantine. Any other field of an unexpected form is read as empty and named
in ``odd_fields``: a change of the API in a field that nobody uses must not keep an order from being accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import ModelWrapValidatorHandler, ValidationInfo

_FAULTS = {
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
    "datetime_parsing": "no time",
    "decimal_max_digits": "too many digits",
    "decimal_parsing": "no number",
    "decimal_type": "no number",
    "finite_number": "no finite number",
    "greater_than": "too small",
    "greater_than_equal": "too small",
    "int_from_float": "no whole number",
    "int_parsing": "no whole number",
    "int_type": "no whole number",
    "less_than": "too large",
    "less_than_equal": "too large",
    "list_type": "no list",
    "model_type": "no object",
    "string_too_long": "more than 500 characters",
    "string_type": "no text",
    "tuple_type": "no list",
    "uuid_parsing": "no id",
    "uuid_type": "no id",
}


class Needed:
    """Marks a field that may be empty, but makes the whole document unreadable where it is of an unexpected form.

    Fields without a default are needed without it.
    """


class Document(BaseModel):
    """A frozen document; numbers may come as text, ids as numbers, and fields nobody knows are no error.

    Back Market writes ``''`` where it has nothing to say: that is read as None.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, hide_input_in_errors=True)

    odd_fields: tuple[str, ...] = Field((), exclude=True)
    """Fields that were read as empty since their form was unexpected, each with the kind of fault, such as
    ``backcare_price: int_from_float``: under Back Market's names, without values, and without those of documents
    inside this one, which name their own."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, read: ModelWrapValidatorHandler[Document], info: ValidationInfo) -> Document:
        # One validator for the whole document: one on each field would double the time of reading an order.
        if not isinstance(data, dict):
            return read(data)
        fields = {
            name: None if isinstance(value, str) and not value.strip() else value
            for name, value in cls._prepare(data, info).items()
        }
        fields.pop("odd_fields", None)
        odd: dict[str, str] = {}
        while True:
            try:
                return read({**fields, "odd_fields": tuple(map(": ".join, odd.items()))} if odd else fields)
            except ValidationError as error:
                found = {
                    name: kind
                    for name, kind in _faults(error)
                    if kind != "string_too_long" and not cls._is_needed(name)
                }
                if not found:
                    raise
            odd |= found
            fields = {name: value for name, value in fields.items() if name not in found}

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:  # noqa: ARG003 - for subclasses
        """Return what the fields are read from; a subclass adds what it knows besides."""
        return data

    @classmethod
    def _is_needed(cls, name: str) -> bool:
        """Tell whether a document is worth nothing without a field, which Back Market calls so."""
        for own_name, field_info in cls.model_fields.items():
            alias = field_info.validation_alias
            if name in (alias.choices if isinstance(alias, AliasChoices) else (alias or own_name,)):
                return field_info.is_required() or any(isinstance(mark, Needed) for mark in field_info.metadata)
        return True

    @property
    def all_odd_fields(self) -> set[str]:
        """``odd_fields``, with those of the documents inside, such as ``orderlines.backcare_price: int_from_float``."""
        return set(self.odd_fields)


def either_spelling(name: str) -> AliasChoices:
    """Let a field come in snake_case or camelCase."""
    return AliasChoices(name, to_camel(name))


EmptyIfNull = BeforeValidator(lambda value: () if value is None else value)


def _no_flag(value: Any) -> Any:
    """Refuse what Python would read as 1 or 0, and Back Market's states as paid or new."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a flag is no number")
    return value


# A number that no column can hold is a fault of its document alone: found here, it costs no other.
Identifier = Annotated[int, Field(ge=-(2**63), lt=2**63), BeforeValidator(_no_flag)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31), BeforeValidator(_no_flag)]
Units = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(_no_flag)]
"""How many were ordered: fewer than none would add to what may be sold."""
Amount = Annotated[Decimal, Field(max_digits=28, allow_inf_nan=False)]

OptionalText = str | None
"""Ids and numbers of any kind: those that come as a number are read as text."""
OptionalWord = Annotated[str, Strict()] | None
"""What can only be text: a number in its place would be something else."""
OptionalIdentifier = Identifier | None
OptionalInteger = Integer | None
OptionalFlag = bool | None
OptionalAmount = Amount | None
"""Money in the currency beside it, exact."""

LONGEST_KEY = 500
"""So many characters of a text fit an index of the database, whatever their script."""

OptionalKey = Annotated[str, Field(max_length=LONGEST_KEY)] | None
"""A text by which documents are found. A longer one makes its document unreadable: no index could hold it."""


def _no_long_text(value: str) -> str:
    if len(value) > LONGEST_KEY:
        raise PydanticCustomError("too_long", "no code is so long")
    return value


OptionalCode = Annotated[str, Strict(), AfterValidator(_no_long_text)] | None
"""A short text that an index of the database holds: a longer one would be something else, and is read as empty."""
NeededKey = Annotated[OptionalKey, Needed()]
NeededText = Annotated[OptionalText, Needed()]
NeededAmount = Annotated[OptionalAmount, Needed()]

NESTED_TOO_DEEP = "document: nested too deep"

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
        except RecursionError:
            unreadable.append(Unreadable(document, NESTED_TOO_DEEP, _key(document, key)))
    return read, unreadable


def reason_of(error: ValidationError) -> str:
    """Name the fields at fault and the kind of fault, without any value: values may be personal."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault_in_words(fault['type'])}" for fault in faults
    )


def fault_in_words(kind: str) -> str:
    """Say for a person what pydantic calls a kind of fault: ``int_parsing`` is ``no whole number``."""
    return _FAULTS.get(kind, kind.replace("_", " "))


def _faults(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Give each field at fault, at the top of a document, with the kind of fault; none where it is no field's."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        if fault["loc"]:
            yield str(fault["loc"][0]), fault["type"]


def _key(document: object, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    return str(value) if isinstance(value, int | str) and value != "" else None
