"""Writes to a customer in a care folder, once: what is there already is not written again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from backmarket.api.errors import BackMarketError
from backmarket.rules.care import SELLER, sender_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from backmarket.api.care import Attachment
    from backmarket.api.client import BackMarketClient
    from backmarket.services.log import Log


_CLOCKS_DIFFER_BY = timedelta(minutes=2)
"""Back Market's clock may be so far behind this machine's."""


def send_message(
    client: BackMarketClient,
    care_folder_id: int,
    text: str,
    attachments: Sequence[Attachment],
    *,
    since: datetime,
    log: Log,
) -> int | None:
    """Write a message, unless the folder shows it already: an earlier try may have, whose answer was lost.

    :param text: personal data: no log and no error repeats it.
    :param since: the same text written before this moment is another message.
    :return: the message's id; None where Back Market does not say.
    :raises BackMarketError: where it could not be written, or it is not known whether it was.
    """
    since -= _CLOCKS_DIFFER_BY
    if (known := _find(client, care_folder_id, text, since)) is not None:
        log.info("Care folder %s shows the message already: it is not written again.", care_folder_id)
        return known
    try:
        message_id = client.post_care_message(care_folder_id, text, attachments)
    except BackMarketError as error:
        if error.surely_not_applied:
            raise
        known = _find(client, care_folder_id, text, since)
        if known is None:
            raise
        log.info("The answer was lost, and care folder %s shows the message.", care_folder_id)
        return known
    log.info("A message was written in care folder %s.", care_folder_id)
    return message_id


def _find(client: BackMarketClient, care_folder_id: int, text: str, since: datetime) -> int | None:
    """Return the id of the seller's newest message of this text; None where the folder shows none since a moment."""
    wanted = _words(text)
    found = [
        message.message_id
        for message in client.get_care_folder(care_folder_id).messages
        if sender_of(message.initiator, message.kind) == SELLER
        and _words(message.text or "") == wanted
        and message.date_creation is not None
        and message.date_creation >= since
    ]
    return max(found, default=None)


def _words(text: str) -> list[str]:
    """Return a text without the blanks that a server may change."""
    return text.split()
