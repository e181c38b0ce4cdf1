"""Calls about what comes after a sale: ``/ws/sav``, each endpoint under a limit of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backmarket.api.calls import Calls, as_document, as_text, keeping_secret, newer_by
from backmarket.api.models.care import CareFolder, CareFolderPage
from backmarket.api.models.document import read_each
from backmarket.api.moving_list import MovingList
from backmarket.api.page_requests import PageThreads
from backmarket.api.paging import PagesOfOwnSize
from backmarket.api.repeats import key_by
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from backmarket.api.paging import RawPage
    from backmarket.api.throttle import Kind
    from backmarket.api.transport import Answer, Part

MOST_ATTACHMENTS = 10
LARGEST_ATTACHMENT = 3_000_000
"""In bytes; both are the spec's, which speaks of 3 MB."""

_PATH = "/ws/sav"
_TO_THE_MINUTE = "%Y-%m-%d-%H-%M"
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_PARTIAL = 6


@dataclass(frozen=True)
class Attachment:
    """A file for a customer or for Back Market.

    :param name: of the file.
    :param media_type: such as ``image/jpeg``.
    :raises ValueError: for something else than a media type.
    """

    name: str
    content: bytes = field(repr=False)
    media_type: str

    def __post_init__(self) -> None:
        """Refuse what could not be a header of its part."""
        if not _MEDIA_TYPE.fullmatch(self.media_type):
            raise ValueError("the media type of an attachment must be one such as image/jpeg")


class CareCalls(Calls):
    """Reads care folders, and acts on them. No write is repeated by itself unless it surely was not applied."""

    def moving_care_folders(
        self, *, modified_since: datetime | None = None, state: int | None = None, orderline_id: int | None = None
    ) -> MovingList[CareFolderPage]:
        """Read all folders that match every filter, without their messages, none missing although the list moves.

        Pages have ten entries, and there is no asking for others: a list of more pages is read twice at least.

        :param modified_since: aware; Back Market knows minutes only, so that earlier ones of the same minute come, too.
        :param state: 0 for open ones, 9 for closed ones.
        """
        since = as_text(modified_since, _TO_THE_MINUTE)
        filters = {"last_modification_date": since, "state": state, "orderline": orderline_id}
        sent = {name: value for name, value in filters.items() if value is not None}
        pages = PagesOfOwnSize(self._transport, _PATH, sent, kind="care_list")
        requests = PageThreads(pages.read, self._transport.config.concurrency)
        return MovingList(
            requests, _page, key_by("id"), is_newer=newer_by("date_creation"), path=_PATH, takes_sizes=False
        )

    def get_care_folder(self, care_folder_id: int) -> CareFolder:
        """Read one folder with its messages.

        :raises NotFoundError: if the account has no such folder.
        :raises UnreadableDocumentError: carrying the document, if it does not fit the model.
        """
        path = f"{_PATH}/{care_folder_id}"
        return as_document(CareFolder, self._transport.read(path, kind="care_folder"), "GET", path)

    def post_care_message(
        self, care_folder_id: int, message: str, attachments: Sequence[Attachment] = ()
    ) -> int | None:
        """Write to the customer; a closed folder opens again.

        :return: the message's id, as far as the answer holds one.
        :raises ValueError: for more than ten files, or one of more than 3 MB; nothing is sent.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the folder before writing again.
        """
        answer = self._send_form(
            f"{_PATH}/{care_folder_id}/msg", {"message": message}, attachments, kind="care_message"
        )
        found = answer.document.get("id") if isinstance(answer.document, dict) else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def declare_problem(
        self,
        care_folder_id: int,
        problem_type: str = "OTHER",
        message: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> None:
        """Tell Back Market that something is wrong with a return.

        :param problem_type: one of the spec's; DAMAGED_PACKAGE, ITEM_NOT_RECEIVED and OOW_ITEM need a file. Folders
            below 100,000,000 take OTHER alone, without a message or files.
        :raises ValueError: as :meth:`post_care_message`.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the folder before declaring again.
        """
        fields = {"problem_type": problem_type, "message": message}
        self._send_form(
            f"{_PATH}/{care_folder_id}/problem", fields, attachments, kind="care_problem", may_answer_text=True
        )

    def declare_item_transfer(
        self, care_folder_id: int, shipper_name: str, tracking_number: str, action: str | None = None
    ) -> None:
        """Tell that a device is on its way back to the customer.

        :param action: REPAIR, REPLACE or NOTHING.
        :raises RefusedError: also where the transfer with this tracking number has been declared before.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the folder before declaring again.
        """
        fields = {"shipperName": shipper_name, "trackingNumber": tracking_number, "action": action}
        body = {name: value for name, value in fields.items() if value is not None}
        path = f"{_PATH}/{care_folder_id}/item-transfer"
        self._transport.write("POST", path, body, kind="care_transfer", may_answer_text=True)

    def create_refund(self, orderline_id: int, refund_type: int, amount: Decimal | None = None) -> str | None:
        """Give a customer money back. It cannot be taken back.

        :param refund_type: 4 refunds a paid line whole, 5 an accepted one, 6 a shipped one, whole or in part.
        :param amount: in the order's currency, with 6 only; all of it where it is not given.
        :return: Back Market's summary of the refund, as far as the answer holds one.
        :raises ValueError: for an amount that is not above zero, or with another type than 6; nothing is sent.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the order before refunding again.
        """
        if amount is not None and not (refund_type == _PARTIAL and amount.is_finite() and amount > 0):
            raise ValueError("a refund has an amount with type 6 only, and one above zero")
        fields = {"orderline_pk": orderline_id, "refund_type": refund_type, "amount": amount}
        answer = self._transport.write(
            "POST",
            f"{_PATH}/refund",
            {name: value for name, value in fields.items() if value is not None},
            kind="care_refund",
            amounts_as_numbers=True,
            may_answer_text=True,
        )
        return answer.document if isinstance(answer.document, str) else None

    def _send_form(
        self,
        path: str,
        fields: dict[str, str | None],
        attachments: Sequence[Attachment],
        *,
        kind: Kind,
        may_answer_text: bool = False,
    ) -> Answer:
        _check(attachments)
        parts: list[Part] = [(name, (None, text.encode(), None)) for name, text in fields.items() if text is not None]
        parts += [("attachment", (each.name, each.content, each.media_type)) for each in attachments]
        with keeping_secret([fields["message"], *[each.name for each in attachments]]):
            return self._transport.send_form(path, parts, kind=kind, may_answer_text=may_answer_text)


def _check(attachments: Sequence[Attachment]) -> None:
    """Refuse what Back Market would refuse, by the place of a file: its name may be personal."""
    if len(attachments) > MOST_ATTACHMENTS:
        raise ValueError(
            f"{counted(len(attachments), 'attachment')} are too many: Back Market takes {MOST_ATTACHMENTS}"
        )
    for number, each in enumerate(attachments, start=1):
        if len(each.content) > LARGEST_ATTACHMENT:
            raise ValueError(
                f"attachment {number} has {counted(len(each.content), 'byte')}: Back Market takes 3 MB a file"
            )


def _page(page: RawPage) -> CareFolderPage:
    folders, unreadable = read_each(CareFolder, page.documents, key="id", context={"server_time": page.server_time})
    return CareFolderPage(page.number, page.count, page.server_time, folders, unreadable)
