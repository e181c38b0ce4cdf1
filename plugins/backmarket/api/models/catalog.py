"""Categories, and the batches in which listings and products are created."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from backmarket.api.models.document import (
    Document,
    EmptyIfNull,
    Identifier,
    Integer,
    Needed,
    NeededText,
    OptionalIdentifier,
    OptionalInteger,
    OptionalWord,
    Unreadable,
    reason_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNNING = frozenset({0, 2, 3, 7})
_FAILED = 8
_DONE = 9


class Batch(Document):
    """What Back Market calls a task: a CSV that it works through in seconds to minutes.

    A done batch may hold errors of single SKUs in ``result``, whose form is free (seen:
    ``{product_success: {key: ...}, product_errors: {key: ...}}``). ``action_status`` is an open set: a batch may
    be neither running, done nor failed. ``last_action_error`` is a text, or of whatever form.

    Needed: ``action_status``. Its number is known to whoever asked.
    """

    task_id: OptionalIdentifier = None
    action_status: Integer
    last_action_error: Any = None
    result: Any = None

    @property
    def is_running(self) -> bool:
        """Whether to ask again later."""
        return self.action_status in _RUNNING

    @property
    def is_done(self) -> bool:
        """Whether Back Market has worked through all lines."""
        return self.action_status == _DONE

    @property
    def has_failed(self) -> bool:
        """Whether the batch as a whole failed; see ``last_action_error``."""
        return self.action_status == _FAILED


class Attribute(Document):
    """A column that products of a leaf category may or must have.

    ``type``: 0 decimal, 1 integer, 2 string, 3 multiple choice. ``allowed_values`` are separated by commas.

    Needed: all but its name, as products are checked by them.
    """

    field: str
    field_name: OptionalWord = None
    type: Annotated[OptionalInteger, Needed()] = None
    allowed_values: NeededText = None
    required: Annotated[bool, BeforeValidator(lambda value: False if value is None else value), Needed()] = False


class Category(Document):
    """A branch of the category tree; products hang on its leaves.

    Needed: its ids and its attributes. See :func:`read_tree`: one without them costs no other.
    """

    category_id: Identifier
    category_name: OptionalWord = None
    marketplace_category_id: Annotated[OptionalInteger, Needed()] = None
    is_leaf: bool = False
    attributes: Annotated[tuple[Attribute, ...], EmptyIfNull, Needed()] = ()
    children: Annotated[tuple[Category, ...], EmptyIfNull, Needed()] = Field((), validation_alias="childrens")


@dataclass(frozen=True)
class CategoryTree:
    """All categories of a market; to iterate over it gives the roots.

    :param roots: the trees; what hung on a category that is left out stands in its place.
    :param left_out: the categories that could not be understood.
    """

    roots: tuple[Category, ...]
    left_out: list[Unreadable] = field(default_factory=list)

    def __iter__(self) -> Iterator[Category]:
        """Give the roots."""
        return iter(self.roots)


def read_tree(documents: list[Any]) -> CategoryTree:
    """Read a category tree, so that one category that does not fit costs no other."""
    roots: list[Category] = []
    left_out: list[Unreadable] = []
    for document in documents:
        inner = CategoryTree(())
        if isinstance(document, dict) and isinstance(document.get("childrens"), list):
            inner = read_tree(document["childrens"])
            document = {**document, "childrens": inner.roots}  # noqa: PLW2901 - the same with its children read
        left_out += inner.left_out
        if inner.left_out and not inner.roots and document.get("is_leaf") is not True:
            continue  # All that hung on it is left out: alone, it would pass for a leaf.
        try:
            roots.append(Category.model_validate(document))
        except ValidationError as error:
            left_out.append(Unreadable(document, reason_of(error), _name_of(document)))
            roots += inner.roots
    return CategoryTree(tuple(roots), left_out)


def _name_of(document: object) -> str | None:
    """Return what a person knows a category by."""
    if not isinstance(document, dict):
        return None
    names = (document.get(name) for name in ("marketplace_category_id", "category_id", "category_name"))
    return " / ".join(str(name) for name in names if isinstance(name, int | str) and name != "") or None
