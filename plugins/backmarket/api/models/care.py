"""What comes after a sale: care folders as ``GET /ws/sav`` lists them and ``GET /ws/sav/{id}`` gives them whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time by the dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from backmarket.api.models.document import (
    Document,
    Identifier,
    OptionalFlag,
    OptionalIdentifier,
    OptionalInteger,
    OptionalText,
    OptionalWord,
    Unreadable,
    read_each,
)
from backmarket.api.models.privacy import without_personal_data
from backmarket.api.models.times import OptionalMoment, are_local, from_paris

if TYPE_CHECKING:
    from pydantic import ValidationInfo

_PAST_TIMES = ("date_creation", "date_modification", "date_last_message", "date_closed")
# Where people write what they like, and who they are.
_FREE_TEXTS = frozenset({"body", "client", "comment", "comments", "content", "description", "message", "text"})
_WORDS_OF_A_MESSAGE = frozenset({"attachment", "date_creation", "initiator", "kind"})

_EmptyIfNull = BeforeValidator(lambda value: [] if value is None else value)


class ReturnLabel(Document):
    """A label with which a device travels between customer and seller; ``kind`` says in which direction.

    ``state`` is USED, ALIVE or EXPIRED in the spec, and an open set.
    """

    url: OptionalText = Field(None, validation_alias="label")
    state: OptionalWord = None
    kind: OptionalWord = None
    date_creation: OptionalMoment = None


class Issue(Document):
    """What a customer says is wrong: the name of an issue, not words of their own."""

    customer_issue: OptionalWord = Field(None, validation_alias=AliasChoices("customerIssue", "customer_issue"))


class Claim(Document):
    """One complaint of a care folder; the list of folders gives its id alone."""

    claim_id: OptionalIdentifier = Field(None, validation_alias="id")
    issues: Annotated[list[Issue], _EmptyIfNull] = Field(default_factory=list)
    return_labels: Annotated[list[ReturnLabel], _EmptyIfNull] = Field(default_factory=list)

    @property
    def all_odd_fields(self) -> set[str]:
        """``odd_fields``, with those of its issues and labels."""
        issues = {f"issues.{odd}" for issue in self.issues for odd in issue.odd_fields}
        labels = {f"return_labels.{odd}" for label in self.return_labels for odd in label.odd_fields}
        return {*self.odd_fields, *issues, *labels}


class CareMessage(Document):
    """A message of a care folder's conversation; its text is personal data, so its repr shows none.

    ``initiator`` says who wrote it and ``kind`` who reads it, such as ``MERCHANT_TO_ALL``. ``attachments`` are URLs.
    """

    message_id: Identifier = Field(validation_alias="id")
    text: OptionalText = Field(None, validation_alias="message", repr=False)
    initiator: OptionalWord = None
    kind: OptionalWord = None
    is_informative: Annotated[bool, BeforeValidator(lambda value: False if value is None else value)] = False
    date_creation: OptionalMoment = None
    attachments: Annotated[list[str], _EmptyIfNull] = Field(default_factory=list)

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:  # noqa: ARG003 - same signature
        attachments = data.get("attachments")
        if not isinstance(attachments, list):
            return data
        urls = [each.get("attachment") if isinstance(each, dict) else each for each in attachments]
        return {**data, "attachments": [url for url in urls if url is not None]}


class CareFolder(Document):
    """All that happens to one sold line after the sale. ``state`` is 0 while it is open and 9 when it is closed.

    Needed: its id. The list gives ids where the details give objects: ``order_id``, ``issues``, ``return_labels`` and
    ``messages`` come with the details only, which :attr:`has_messages` tells apart. A message that cannot be read
    costs no other: it is in ``unreadable_messages``. Times are in UTC, as those of an order.
    """

    care_folder_id: Identifier = Field(validation_alias="id")
    orderline_id: OptionalIdentifier = Field(None, validation_alias="orderline")
    order_id: OptionalIdentifier = None
    state: OptionalInteger = None
    date_creation: OptionalMoment = None
    date_modification: OptionalMoment = None
    date_last_message: OptionalMoment = None
    date_closed: OptionalMoment = None
    country_code: OptionalWord = None
    backcare: OptionalFlag = None
    claims: Annotated[list[Claim], _EmptyIfNull] = Field(default_factory=list, validation_alias="lines")
    messages: Annotated[list[CareMessage], _EmptyIfNull] = Field(default_factory=list)

    served_at: datetime | None = None
    """Back Market's clock when it answered with this folder alone, in whole seconds. Of a list, the page tells."""
    has_messages: bool = False
    """Whether this is a folder with its details, and not an entry of the list."""
    unreadable_messages: list[Unreadable] = Field(default_factory=list, repr=False)
    times_assumed_local: bool = False
    """Whether its times named no zone and were taken as Paris time, since as UTC they were yet to come."""
    impersonal_document: dict[str, Any] = Field(default_factory=dict, repr=False)
    """The folder as it came, ready to be stored as JSON: without people, addresses and the texts of messages."""

    @classmethod
    def _prepare(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        own: dict[str, Any] = {
            "has_messages": isinstance(data.get("messages"), list),
            "impersonal_document": _impersonal(data),
            "unreadable_messages": [],
            "served_at": (info.context or {}).get("served_at"),
        }
        local = are_local((data.get(name) for name in _PAST_TIMES), (info.context or {}).get("server_time"))
        data = {**(_with_paris_times(data) if local else data), **own, "times_assumed_local": local}
        if isinstance(orderline := data.get("orderline"), dict):
            order = orderline.get("order")
            data["orderline"] = orderline.get("id")
            data["order_id"] = order.get("order_id") if isinstance(order, dict) else order
        if isinstance(lines := data.get("lines"), list):
            data["lines"] = [line for line in lines if not isinstance(line, int)]
        if isinstance(messages := data.get("messages"), list):
            read, unreadable = read_each(CareMessage, messages, key="id", context=info.context or {})
            data |= {"messages": read, "unreadable_messages": unreadable}
        return data

    @property
    def issues(self) -> list[str]:
        """What the customer says is wrong, of all claims."""
        return [issue.customer_issue for claim in self.claims for issue in claim.issues if issue.customer_issue]

    @property
    def return_labels(self) -> list[ReturnLabel]:
        """The labels of all claims."""
        return [label for claim in self.claims for label in claim.return_labels]

    @property
    def all_odd_fields(self) -> set[str]:
        """``odd_fields``, with those of its claims and messages, and why messages could not be read."""
        claims = {f"lines.{odd}" for claim in self.claims for odd in claim.all_odd_fields}
        messages = {f"messages.{odd}" for message in self.messages for odd in message.odd_fields}
        unreadable = {f"messages.{each.reason}" for each in self.unreadable_messages}
        return {*self.odd_fields, *claims, *messages, *unreadable}


def _impersonal(folder: dict[str, Any]) -> dict[str, Any]:
    """Copy a folder without what is about people or written by them."""
    kept: dict[str, Any] = _without_free_texts(without_personal_data(folder))
    if isinstance(merchant := kept.get("merchant"), dict):
        kept["merchant"] = merchant.get("id")
    if "messages" in kept:
        kept["messages"] = _without_words(kept["messages"])
    return kept


def _without_free_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_free_texts(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_free_texts(each) for name, each in value.items() if name.lower() not in _FREE_TEXTS}


def _without_words(value: Any, name: str = "") -> Any:
    """Copy messages without any text but those that are known to be nobody's words."""
    if isinstance(value, list):
        return [_without_words(each, name) for each in value]
    if isinstance(value, dict):
        return {key: _without_words(each, key) for key, each in value.items()}
    return None if isinstance(value, str) and name not in _WORDS_OF_A_MESSAGE else value


def _with_paris_times(data: dict[str, Any]) -> dict[str, Any]:
    """Let all times of a folder that name no zone say that they are Paris time."""
    data = from_paris(data, _PAST_TIMES)
    if isinstance(messages := data.get("messages"), list):
        data["messages"] = _created_in_paris(messages)
    if isinstance(lines := data.get("lines"), list):
        data["lines"] = [
            {**line, "return_labels": _created_in_paris(line["return_labels"])}
            if isinstance(line, dict) and isinstance(line.get("return_labels"), list)
            else line
            for line in lines
        ]
    return data


def _created_in_paris(documents: list[Any]) -> list[Any]:
    return [from_paris(each, ("date_creation",)) if isinstance(each, dict) else each for each in documents]


@dataclass(frozen=True)
class CareFolderPage:
    """One page of a list of care folders.

    :param number: from 1.
    :param count: how long the whole list was at least when this page was read.
    :param server_time: Back Market's clock at that moment, in UTC.
    """

    number: int
    count: int
    server_time: datetime
    folders: list[CareFolder] = field(repr=False)
    unreadable: list[Unreadable] = field(repr=False)
