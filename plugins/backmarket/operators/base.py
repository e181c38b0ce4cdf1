"""What Back Market operators have in common: the two connections they work between, and how orders are changed."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow.sdk import BaseOperator

from backmarket.configuration import wait_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.hooks.backmarket import BackMarketHook
    from backmarket.services.order_changes import OrderAction, Plan
    from backmarket.settings import SendingSettings
    from backmarket.warehouse.connection import Connection
    from backmarket.warehouse.ledger import Kind

S = TypeVar("S", bound="SendingSettings")


class BackMarketOperator(BaseOperator):
    """Works between one seller account and the operational database.

    :param backmarket_conn_id: the seller account.
    :param warehouse_conn_id: the operational database.
    """

    template_fields: tuple[str, ...] = ("backmarket_conn_id", "warehouse_conn_id")

    def __init__(
        self,
        *,
        backmarket_conn_id: str = "backmarket_default",
        warehouse_conn_id: str = "backmarket_warehouse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backmarket_conn_id = backmarket_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @property
    def account(self) -> str:
        """The account's name, which leads every primary key."""
        from backmarket.warehouse.accounts import account_of

        return account_of(self.backmarket_conn_id)

    @property
    def hook(self) -> BackMarketHook:
        """A new hook for the seller account; ``with`` it for a client."""
        from backmarket.hooks.backmarket import BackMarketHook

        return BackMarketHook(self.backmarket_conn_id, self.warehouse_conn_id)


class BackMarketOrderChangesOperator(BackMarketOperator, Generic[S]):
    """Makes one kind of change of orders.

    Rows of the seller's tables that cannot be read are left out and named; the others go.

    :raises ChangesWaitingError: where some could not be sent now; the others are.
    :raises FeedUnusableError: where the seller's table has no row that can be read.
    """

    kind: ClassVar[Kind]
    ui_color = "#f9d8b4"

    @abstractmethod
    def load_settings(self) -> S:
        """Read the concern's Variables."""

    @abstractmethod
    def action(self, settings: S) -> OrderAction:
        """Return what is done to an order."""

    @abstractmethod
    def plan_changes(self, connection: Connection, settings: S) -> Plan:
        """Decide what is wanted now."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many changes were wanted, confirmed, refused and so on, the subjects of those held back, and how
        many rows were left out.
        """
        from backmarket.services.order_changes import OrderWriting
        from backmarket.warehouse import sql
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.orders import OrderStaging
        from backmarket.warehouse.seller_rows import fail_if_unusable, name_left_out

        settings = self.load_settings()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            # One process at a time: a task that was taken for dead may still be alive beside its retry.
            connection.execute(sql.statement("changes/lock_kind"), {"account": self.account, "kind": self.kind})
            ledger, staging = Ledger(connection, self.account, self.kind), OrderStaging(connection, self.account)
            writing = OrderWriting(
                client, ledger, staging, self.action(settings), self.log, in_flight=wait_of("in_flight_seconds")
            )
            writing.settle_unsettled()
            changes, feeds = self.plan_changes(connection, settings)
            named: Counter[str] = Counter()
            for feed in feeds:
                named.update(name_left_out(connection, self.account, feed, run_id=context["run_id"]))
            ledger.plan(changes, run_id=context["run_id"])
            writing.send_planned()
            held = [change.subject for change in changes if change.status == "refused"]
            wanted = len(changes) - len(held)
            self.log.info("Wanted: %d (%s); ended: %s; held: %d.", wanted, self.kind, dict(writing.counts), len(held))
            for feed in feeds[:1]:
                fail_if_unusable(connection, self.account, feed)
        return {"wanted": wanted, **writing.counts, "held": held, **named}
