"""Categories, and the batches in which listings and products are created."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from backmarket.api.models.document import Document, EmptyIfNull, OptionalInteger, OptionalText

_RUNNING = frozenset({0, 2, 3, 7})
_FAILED = 8
_DONE = 9


class Batch(Document):
    """What Back Market calls a task: a CSV that it works through in seconds to minutes.

    A done batch may hold errors of single SKUs in ``result``, whose form is free (seen:
    ``{product_success: {key: ...}, product_errors: {key: ...}}``). ``action_status`` is an open set: a batch may
    be neither running, done nor failed.
    """

    task_id: int
    action_status: int
    last_action_error: OptionalText = None
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
    """

    field: str
    field_name: OptionalText = None
    type: OptionalInteger = None
    allowed_values: OptionalText = None
    required: bool = False


class Category(Document):
    """A branch of the category tree; products hang on its leaves."""

    category_id: int
    category_name: OptionalText = None
    marketplace_category_id: OptionalInteger = None
    is_leaf: bool = False
    attributes: Annotated[tuple[Attribute, ...], EmptyIfNull] = ()
    children: Annotated[tuple[Category, ...], EmptyIfNull] = Field((), validation_alias="childrens")
