"""What statements have to know of what came after the sale, whether the sandbox runs in this process or not."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.after_sales.model import Refund
from sandbox.after_sales.store import AfterSales
from sandbox.clock import SECOND
from sandbox.orders.model import LINES_PER_ORDER
from sandbox.remote import Sandbox


@dataclass(frozen=True)
class KnownAfterSales:
    """The refunds of each order line, and the ids of those that have a return or a care folder.

    `create_return` makes a return of a line that was delivered at a moment (microseconds).
    """

    refunds: dict[int, list[Refund]]
    returned: frozenset[int]
    in_folders: frozenset[int]
    create_return: Callable[[int, int], None]

    def is_untouched(self, line_id: int) -> bool:
        """Tell whether nothing at all came after the sale of a line."""
        return line_id not in self.refunds and line_id not in self.returned and line_id not in self.in_folders


def known_here(store: AfterSales) -> KnownAfterSales:
    """Ask a sandbox of this process."""

    def create_return(line_id: int, delivered: int) -> None:
        parcel = store.add_return(line_id // LINES_PER_ORDER, line_id, delivered)
        parcel.picked_up = parcel.delivered = delivered
        store.save_return(parcel)

    return KnownAfterSales(
        _by_line(store.refunds),
        frozenset(parcel.orderline_id for parcel in store.returns.values()),
        frozenset(folder.orderline_id for folder in store.folders.values()),
        create_return,
    )


def known_there(sandbox: Sandbox) -> KnownAfterSales:
    """Ask a sandbox that runs elsewhere."""

    def create_return(line_id: int, delivered: int) -> None:
        moment = datetime.fromtimestamp(delivered / SECOND, UTC)
        sandbox.create_return(line_id, created=moment, delivered=moment)

    return KnownAfterSales(
        _by_line(Refund(**refund) for refund in sandbox.refunds()),
        frozenset(parcel["orderline_id"] for parcel in sandbox.returns()),
        frozenset(folder["orderline_id"] for folder in sandbox.care_folders()),
        create_return,
    )


def _by_line(refunds: Iterable[Refund]) -> dict[int, list[Refund]]:
    found: defaultdict[int, list[Refund]] = defaultdict(list)
    for refund in refunds:
        found[refund.orderline_id].append(refund)
    return dict(found)
