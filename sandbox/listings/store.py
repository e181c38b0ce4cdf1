"""All listings, found by UUID, by the legacy integer and by SKU (whose case does not matter)."""

from collections.abc import Callable, Iterable, Iterator

from sandbox.listings.model import ONLINE, Listing


class ListingStore:
    """Keeps listings in the order of their integer ids; `on_change` hears of every saved one."""

    def __init__(self, on_change: Callable[[Listing], None]) -> None:
        self._by_number: dict[int, Listing] = {}
        self._by_uuid: dict[str, Listing] = {}
        self._by_sku: dict[str, Listing] = {}
        self._on_change = on_change

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._by_number.values())

    def __len__(self) -> int:
        return len(self._by_number)

    def load(self, listings: Iterable[Listing]) -> None:
        """Take listings in that need no saving."""
        for listing in listings:
            self._by_number[listing.listing_id] = listing
            self._by_uuid[listing.id] = listing
            self._by_sku[listing.sku.lower()] = listing

    def save(self, listing: Listing) -> None:
        """Take in a new or changed listing."""
        self.load([listing])
        self._on_change(listing)

    def by_key(self, key: str) -> Listing | None:
        """Find by UUID or by integer, whichever the text is."""
        if key.isdecimal():
            return self._by_number.get(int(key))
        return self._by_uuid.get(key.lower())

    def by_sku(self, sku: str) -> Listing | None:
        """Find by SKU, whatever its case."""
        return self._by_sku.get(sku.lower())

    def next_number(self) -> int:
        """Give the integer id of the next new listing."""
        return max(self._by_number, default=2_400_000) + 1

    def sellable(self, market: str) -> list[Listing]:
        """List what a customer of a market could buy now."""
        return [listing for listing in self if listing.publication_state(market) == ONLINE]

    def take_stock(self, sku: str, quantity: int) -> None:
        """Lower a quantity because an order was made."""
        self._move_stock(sku, -quantity)

    def return_stock(self, sku: str, quantity: int) -> None:
        """Raise a quantity again because an order was never paid."""
        self._move_stock(sku, quantity)

    def _move_stock(self, sku: str, change: int) -> None:
        listing = self.by_sku(sku)
        if listing is not None:
            listing.show_quantity(max(0, listing.quantity + change))
            self.save(listing)
