"""What Back Market operators have in common: the two connections they work between, and three kinds of tasks."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket import metrics
from backmarket.assets import asset
from backmarket.configuration import wait_of
from backmarket.seller_account import DEFAULT_CONNECTION, DEFAULT_WAREHOUSE, account_named
from backmarket.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from backmarket.hooks.backmarket import BackMarketHook
    from backmarket.services.order_changes import OrderAction, OrderWriting
    from backmarket.services.order_reading import OrderReading
    from backmarket.services.progress import Advance
    from backmarket.warehouse.connection import Connection


class BackMarketOperator(BaseOperator):
    """Works between one seller account and the operational database.

    :param account: its name, which leads every primary key; None: the connection's id without ``backmarket_``.
    :param backmarket_conn_id: the connection of the seller account.
    :param warehouse_conn_id: the operational database.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """What its tasks read, for lineage: tables, paths of the seller API as ``ws/orders``, ``inbox/settlements``."""
    writes: ClassVar[tuple[str, ...]] = ()
    """What its tasks write, likewise."""
    template_fields: tuple[str, ...] = ("backmarket_conn_id", "warehouse_conn_id")

    def __init__(
        self,
        *,
        account: str | None = None,
        backmarket_conn_id: str = DEFAULT_CONNECTION,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.account_name = account
        self.backmarket_conn_id = backmarket_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    @property
    def account(self) -> str:
        """The account's name, which leads every primary key."""
        return account_named(self.account_name, self.backmarket_conn_id)

    @property
    def rows_limit_pct(self) -> Decimal:
        """The share of a seller's table above which it counts as unusable.

        A slip in this Variable stops nothing: it is told in the log, and the default holds.
        """
        from backmarket.settings import SellerRowsSettings, VariableError

        try:
            return SellerRowsSettings.load(self.account).seller_rows_limit_pct
        except VariableError as error:
            self.log.warning("%s Until then its default holds.", error)
            return SellerRowsSettings().seller_rows_limit_pct

    @property
    def hook(self) -> BackMarketHook:
        """A new hook for the seller account; ``with`` it for a client."""
        from backmarket.hooks.backmarket import BackMarketHook

        return BackMarketHook(self.backmarket_conn_id, self.warehouse_conn_id, account=self.account)

    @staticmethod
    def skip_without_counts(context: Context, reason: str) -> NoReturn:
        """Skip a task whose counts others add up: they find none, instead of an error about a missing XCom."""
        context["ti"].xcom_push(key="return_value", value={})
        raise AirflowSkipException(reason)

    def skip_unless_enabled(self, what_then: str, *, told_by: str = "") -> None:
        """Skip the task while the main switch is off; for tasks that no gate stands before.

        :param what_then: what is not done, for the log.
        :param told_by: the task of this DAG that fails where the main switch cannot be understood; this one then skips.
            Empty: this one fails.
        :raises VariableError: where it cannot be understood.
        """
        from backmarket.settings import VariableError, key_of, read_variable

        try:
            is_on = read_variable(self.account, "enabled")
        except VariableError as error:
            if not told_by:
                raise
            raise AirflowSkipException(
                f"Variable {error.key} cannot be used: the log of {told_by} says why. {what_then}"
            ) from None
        if not is_on:
            raise AirflowSkipException(f"{key_of(self.account, 'enabled')} is off. {what_then}")

    @contextmanager
    def order_reading(self, connection: Connection) -> Iterator[OrderReading]:
        """Open a client, stage on this connection what is read of orders, and count what was stored of it."""
        from backmarket.services.order_reading import OrderReading
        from backmarket.warehouse.orders import OrderStaging

        with self.hook as client:
            reading = OrderReading(client, OrderStaging(connection, self.account), self.log)
            try:
                yield reading
            finally:
                for outcome, orders in reading.stored.items():
                    metrics.send("orders", orders, account=self.account, outcome=outcome)

    @contextmanager
    def progress(self, context: Context, one: str, part: str = "") -> Iterator[Advance]:
        """Tell in the log and on the page how far a load is, every ten seconds, until it ends.

        :param one: what is counted, such as ``order``.
        :param part: what is loaded a part of, such as a market.
        """
        from backmarket.services.progress import Progress
        from backmarket.warehouse.connection import connect

        opening = partial(connect, self.warehouse_conn_id)
        with Progress(self.log, opening, self.account, self.task_id, context["run_id"], one, part) as progress:
            yield progress.at

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Name what the task has read and written; Airflow's OpenLineage provider asks, where it is installed."""
        from backmarket.lineage import Lineage

        return Lineage(self.backmarket_conn_id, self.warehouse_conn_id, self.account).of(self.reads, self.writes)


class BackMarketOrderChangesOperator(BackMarketOperator):
    """Makes one kind of change of orders.

    Rows of the seller's tables that cannot be read are left out and named; the others are sent.

    :raises ChangesWaitingError: where some changes could not be sent now; the others were.
    :raises FeedUnusableError: where the seller's table cannot be read at all.
    """

    @abstractmethod
    def load_action(self) -> OrderAction:
        """Read the concern's Variables, and return what is done to orders."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many changes were wanted, confirmed, refused and so on, the subjects of those held back, how many
        rows were left out; the tables that cannot be used as a whole, as ``unusable_feeds``, and the changes that only
        the next run sends again, as ``not_sent``.
        """
        from backmarket.services.order_changes import OrderWriting
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.ledger import Ledger
        from backmarket.warehouse.orders import OrderStaging

        action = self.load_action()
        with connect(self.warehouse_conn_id) as connection, self.hook as client:
            ledger, staging = Ledger(connection, self.account, action.kind), OrderStaging(connection, self.account)
            writing = OrderWriting(client, ledger, staging, action, self.log, wait_of("in_flight_seconds"))
            writing.settle_unsettled()
            return self.carry_out(writing, action, context)

    def carry_out(self, writing: OrderWriting, action: Any, context: Context) -> dict[str, Any]:
        """Plan and send, once what is uncertain is settled.

        :param action: as :meth:`load_action` returned it.
        """
        plan = action.plan(writing.staging.connection, self.account, now=datetime.now(UTC))
        return writing.carry_out(plan, run_id=context["run_id"], rows_limit_pct=self.rows_limit_pct)


class BackMarketAnnouncementOperator(BaseOperator):
    """Updates an asset, with the run's counts, where something changed; else skips.

    A subclass says of which counts the asset tells, and which of them mean a change. Where these are noted in the
    database as they happen, none is missed, however its task ended: such an operator has the trigger rule ``all_done``,
    and skips where none of the tasks before it ran.

    :param counts: what a task, each of several, or each instance of a mapped one has counted; None for one that was
        skipped, or failed.
    :param account: whose asset it is; None: the connection's.
    :param backmarket_conn_id: the connection of the account.
    :param warehouse_conn_id: the operational database.
    """

    thing: ClassVar[str]
    things: ClassVar[str]
    one: ClassVar[str]
    summed: ClassVar[tuple[str, ...]] = ("new", "changed", "unchanged", "quarantined", "gone", "requests")
    changing: ClassVar[tuple[str, ...]] = ("new", "changed", "gone")
    is_noted: ClassVar[bool] = False
    """Whether what means a change is noted in ``backmarket.unannounced`` as it happens."""
    template_fields = ("counts",)

    def __init__(
        self,
        *,
        counts: Any,
        account: str | None = None,
        backmarket_conn_id: str = DEFAULT_CONNECTION,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE,
        **kwargs: Any,
    ) -> None:
        self.account = account_named(account, backmarket_conn_id)
        self.announced = asset(self.thing, self.account)
        if self.is_noted:
            kwargs.setdefault("trigger_rule", "all_done")
        super().__init__(outlets=[self.announced], **kwargs)
        self.counts = counts
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Return the counts of the run."""
        tasks = [self.counts] if isinstance(self.counts, dict) else self.counts or ()
        totals = {name: sum((task or {}).get(name, 0) for task in tasks) for name in self.summed}
        if self.is_noted:
            totals |= self._noted(context)
        if not (changed := sum(totals[name] for name in self.changing)):
            raise AirflowSkipException(f"Nothing changed about {self.things}: nothing to announce.")
        context["outlet_events"][self.announced].extra = dict(totals)
        self.log.info("%s changed: asset %s updated.", counted(changed, self.one, self.things), self.announced.name)
        return totals

    def _noted(self, context: Context) -> dict[str, int]:
        """Return what changed and was not announced yet, also what the last run failed to announce."""
        from backmarket.warehouse import announcements
        from backmarket.warehouse.connection import connect

        ti, run_id = context["ti"], context["run_id"]

        def states(run_id: str, task_ids: Iterable[str]) -> set[Any]:
            found = ti.get_task_states(dag_id=ti.dag_id, task_ids=sorted(task_ids), run_ids=[run_id])
            return set(found.get(run_id, {}).values())

        if not {"success", "failed"} & states(run_id, self.upstream_task_ids):
            raise AirflowSkipException(f"No task ran that changes {self.things}: nothing to announce.")
        with connect(self.warehouse_conn_id) as connection:
            last = announcements.last_claim(connection, self.account, self.thing)
            failed = last if last and states(last, [self.task_id]) == {"failed"} else None
            noted = announcements.claim(connection, self.account, self.thing, run_id=run_id, instead_of=failed)
        return {name: noted[name] for name in self.changing}
