"""Looks whether Back Market has a listing of a SKU."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from backmarket.api.models import Listing
    from backmarket.warehouse.ledger import RecordedChange


class Look(NamedTuple):
    """What a look found.

    :param exists: whether there is a listing of the SKU.
    :param listing: the listing; None where there is none, or where it could not be understood.
    """

    exists: bool
    listing: Listing | None


def look_up(client: BackMarketClient, change: RecordedChange) -> Look:
    """Look for the listing of a change's SKU, in its market."""
    from backmarket.api.errors import UnreadableDocumentError

    try:
        listing = client.find_listing(change.subject, change.payload["market"])
    except UnreadableDocumentError:
        return Look(exists=True, listing=None)
    return Look(exists=listing is not None, listing=listing)
