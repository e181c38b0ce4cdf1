"""Calls about single listings and lists of them: ``/ws/listings``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from backmarket.api.calls import Calls, as_document, as_written
from backmarket.api.errors import MalformedAnswerError, NotFoundError
from backmarket.api.markets import MARKETS
from backmarket.api.models.document import read_each
from backmarket.api.models.listing import Listing, ListingPage
from backmarket.api.moving_list import MovingList
from backmarket.api.page_requests import PageThreads
from backmarket.api.paging import Window, read_length, read_page
from backmarket.api.repeats import key_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from backmarket.api.paging import RawPage

_PATH = "/ws/listings"
DETAIL_PATH = "/ws/listings/detail"


class ListingCalls(Calls):
    """Reads and changes listings, each as one market sees it."""

    def moving_listings(self, market: str, publication_state: int | None = None) -> MovingList[ListingPage]:
        """Read all listings, none of them missing although the list moves meanwhile.

        :param publication_state: 0 incomplete, 1 pending, 2 online, 3 offline, 4 deactivated; None for all.
        """
        requests = PageThreads(self._listing_page_reader(market, publication_state), self._transport.config.concurrency)
        return MovingList(requests, lambda page: _listing_page(page, market), key_by("id"), path=_PATH)

    def count_listings(self, market: str) -> int | None:
        """Tell how many listings there are; None for several that the list does not count. One cheap read."""
        return read_length(self._transport, _PATH, market=market)

    def first_listings(self, market: str) -> ListingPage:
        """Read the first page of a market's listings."""
        return _listing_page(self._listing_page_reader(market, None)(Window(1)), market)

    def get_listing(self, listing_id: UUID | str | int, market: str) -> Listing:
        """Read one listing.

        :param listing_id: the UUID ``id``, or the deprecated integer.
        :raises NotFoundError: if the account has no such listing.
        :raises UnreadableDocumentError: carrying the document, if it does not fit the model.
        :raises MalformedAnswerError: if it is another listing than the one asked for.
        """
        path = _path_of(listing_id)
        listing = as_document(Listing, self._transport.read(path, market=market), "GET", path)
        if str(listing_id).lower() not in {str(listing.id), str(listing.listing_id)}:
            raise MalformedAnswerError("another listing than the one asked for", method="GET", path=path)
        return listing

    def find_listing(self, sku: str, market: str) -> Listing | None:
        """Read the listing of a SKU, which matches in any case; None where the answer is 404.

        :raises UnreadableDocumentError: carrying the document, if it does not fit the model.
        :raises MalformedAnswerError: if the answer is not about this SKU: it tells nothing of whether there is one.
        """
        try:
            answer = self._transport.read(DETAIL_PATH, params={"sku": sku}, market=market)
        except NotFoundError:
            return None
        found = answer.document.get("sku") if isinstance(answer.document, dict) else None
        if str(found).strip().casefold() != sku.strip().casefold():
            raise MalformedAnswerError("not the listing of the SKU", method="GET", path=DETAIL_PATH)
        return as_document(Listing, answer, "GET", DETAIL_PATH)

    def update_listing(self, listing_id: UUID | str | int, market: str, **fields: object) -> Listing | None:
        """Change some fields of a listing at once; the others stay as they are.

        ``quantity`` changes everywhere, and 0 takes the listing offline; ``price``, ``min_price`` and ``comment``
        change in this market alone. ``currency`` is added to a price: without it, some markets take it as euros.

        :param fields: under the names of the spec; amounts as Decimal.
        :return: the listing after the change, as far as the answer holds one.
        :raises BackMarketError: where ``surely_not_applied`` is False, read the listing before writing again.
        """
        currency = {"currency": MARKETS[market].currency} if "price" in fields else {}
        answer = self._transport.write("POST", _path_of(listing_id), {**currency, **fields}, market=market)
        return as_written(Listing, answer)

    def _listing_page_reader(self, market: str, publication_state: int | None) -> Callable[[Window], RawPage]:
        filters = {} if publication_state is None else {"publication_state": publication_state}
        return lambda window: read_page(self._transport, _PATH, window, filters=filters, market=market)


def _path_of(listing_id: UUID | str | int) -> str:
    return f"{_PATH}/{quote(str(listing_id), safe='')}"


def _listing_page(page: RawPage, market: str) -> ListingPage:
    listings, unreadable = read_each(Listing, page.documents, key="id", context={})
    return ListingPage(market, page.number, page.count, page.asked_at, listings, unreadable)
