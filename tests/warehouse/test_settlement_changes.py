"""A comparison of statements with orders that looks at what changed finds what one of everything would."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.warehouse import sql
from backmarket.warehouse.orders import lock_merges
from backmarket.warehouse.settlements.files import StatementFile, load_file
from backmarket.warehouse.settlements.quality import read_quality
from backmarket.warehouse.settlements.reconciliation import Limits, Reconciliation, reconcile, remember_unknown
from backmarket.warehouse.settlements.reports import newest_days
from tests.warehouse.test_settlements import LIMITS, findings, load, order, sale

if TYPE_CHECKING:
    from collections.abc import Callable

Database = psycopg.Connection[Any]

FIRST_DAY = date(2026, 6, 1)
WEEKS = 9
ORDERS = 25
STEPS = 120
HEADER = "invoice_key,value_date,sku,order_id,designation,amount,currency\n"


@dataclass
class Shop:
    """A shop to which things happen, one after the other.

    :param exports: the rows of the newest export of each statement, by its week.
    """

    database: Database
    other: Database
    dice: Random
    limits: Limits = LIMITS
    exports: dict[int, list[str]] = field(default_factory=dict)
    exported: int = 0

    def day(self) -> date:
        """Any day."""
        return FIRST_DAY + timedelta(days=self.dice.randrange(7 * WEEKS))

    def order(self) -> int:
        """Any order, stored or not."""
        return self.dice.randrange(1, ORDERS + 1)

    def write_order(self) -> None:
        """An order comes in, or comes again with another document, its line maybe from another order."""
        self._write_order(self.database)

    def _write_order(self, database: Database) -> None:
        order_id, day = self.order(), self.day()
        database.execute(
            "insert into backmarket.orders (account, order_id, state, currency, price, shipping_price, "
            "tracking_number, date_shipping, date_modification, document, first_seen_at, read_at) "
            "values ('default', %s, 9, %s, 100, 0, %s, %s, %s, '{}', %s, %s) on conflict (account, order_id) do update "
            "set currency = excluded.currency, date_shipping = excluded.date_shipping, "
            "date_modification = excluded.date_modification",
            [
                order_id,
                self.dice.choice(("EUR", "EUR", "EUR", "GBP")),
                f"6X{order_id:012}FR",
                self.dice.choice((None, day, day, day)),
                self.dice.choice((None, day + timedelta(days=self.dice.randrange(20)))),
                FIRST_DAY,
                day,
            ],
        )
        database.execute(
            "insert into backmarket.order_lines (account, orderline_id, order_id, sku, quantity, price, "
            "shipping_price, state, orderline_fee, first_seen_at, first_seen_state) "
            "values ('default', %s, %s, 'SKU', 1, 100, 0, %s, 10, now(), 3) "
            "on conflict (account, orderline_id) do update set order_id = excluded.order_id, state = excluded.state",
            [
                self.dice.choice((order_id, order_id, self.order())) + 1000,
                order_id,
                self.dice.choice((2, 3, 3, 4, 5, 6)),
            ],
        )

    def change_order(self) -> None:
        """What a document says of the order itself changes."""
        change = self.dice.choice(
            ("date_shipping = date_shipping + interval '9 days'", "currency = 'EUR'", "date_modification = %(day)s")
        )
        self.database.execute(
            f"update backmarket.orders set {change} where order_id = %(order)s".encode(),
            {"order": self.order(), "day": self.day()},
        )

    def change_line(self) -> None:
        """A line changes its state or its price, or is no longer listed, or somebody deletes it."""
        change = self.dice.choice(
            ("state = 6", "state = 5", "price = price - 1", "orderline_fee = 8", "gone_at = now()")
        )
        update = f"update backmarket.order_lines set {change}"
        if self.dice.random() < 0.1:
            update = "delete from backmarket.order_lines"
        self.database.execute(f"{update} where order_id = %s".encode(), [self.order()])

    def write_beside(self) -> None:
        """An order is being written while statements are compared, and is there only afterwards."""
        with self.other.transaction():
            self._write_order(self.other)
            self.compare()

    def load(self) -> None:
        """A statement comes: a new one, or a further export of one, with rows changed, taken out and added."""
        week = self.dice.randrange(WEEKS)
        rows = [row for row in self.exports.get(week, []) if self.dice.random() < 0.8]
        rows = [row.replace("Phone", self.dice.choice(("Phone", "Phone", "Phone in blue"))) for row in rows]
        rows += [self.row(week) for _ in range(self.dice.randrange(1, 8))]
        self.exported += 1
        hour = self.exported
        if self.dice.random() < 0.3:
            hour -= self.dice.randrange(2 * self.exported)
        else:
            self.exports[week] = rows
        issued = FIRST_DAY + timedelta(days=7 * week + 7)
        content = (HEADER + "\n".join(rows)).encode()
        name = f"{issued:%Y%m%d}-EU-H-{week}.csv"
        written = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=hour)
        file = StatementFile(
            f"{hour}/{name}", name, len(content), written, sha256(content).hexdigest(), io.BytesIO(content)
        )
        load_file(self.database, "default", file)

    def row(self, week: int) -> str:
        """A row of a week's statement; of eight weeks' statements some reach further back."""
        day: date | str = FIRST_DAY + timedelta(
            days=7 * week + self.dice.randrange(7) - self.dice.choice((0, 0, 0, 20))
        )
        order: int | str = self.order()
        currency = self.dice.choice(("EUR", "EUR", "EUR", "GBP"))
        key, amount = self.dice.choice(
            (
                ("sales", "100"),
                ("sales", "100"),
                ("sales", "99"),
                ("sales_fees", "-10"),
                ("sales_fees", "-8"),
                ("refunds", "-100"),
                ("avoir_sales_fees", "10"),
                ("odd", "5"),
                ("deferred_payout_retained", "-50"),
                ("deferred_payout_released", "50"),
                ("backship_label", "-4"),
            )
        )
        text = "Phone"
        if "payout" in key:
            order, text = "", f"Payout {self.dice.randrange(3) + 111111}"
        elif key == "backship_label":
            order, text = "", f"Label 6X{order:012}FR"
        elif self.dice.random() < 0.1:
            order = self.dice.choice(("", "PRO-1", int(order) + 1000))
        if self.dice.random() < 0.1:
            day = ""
        return f"{key},{day},SKU,{order},{text},{amount},{currency}"

    def ask(self) -> None:
        """Back Market says that it has no orders of some numbers."""
        remember_unknown(self.database, "default", [self.order(), self.order() + 1000])

    def take_away(self) -> None:
        """Somebody takes a statement out of the database, as docs/operations/accounts.md says how."""
        if self.exports:
            week = self.dice.choice(sorted(self.exports))
            del self.exports[week]
            for table in ("files", "statements", "lines"):
                self.database.execute(
                    f"delete from backmarket.settlement_{table} where invoice_ref like %s".encode(), [f"%-H-{week}"]
                )

    def send_back(self) -> None:
        """A customer sends something back, or it arrives."""
        order_id = self.order()
        line = self.dice.choice((None, order_id + 1000))
        send_back(self.database, order_id, line, self.dice.choice((None, self.day())))

    def refund(self) -> None:
        """A refund of ours is sent, and ends one way or another."""
        order_id = self.order()
        refund(
            self.database,
            order_id,
            self.dice.choice(("100", "20", "20")),
            self.day(),
            status=self.dice.choice(("confirmed", "confirmed", "refused", "unknown")),
        )

    def complain(self) -> None:
        """A customer opens a care folder."""
        complain(self.database, self.order())

    def know_returns(self) -> None:
        """Returns are read from some day on."""
        self.database.execute(
            "insert into backmarket.after_sales_parts as known (account, part, known_since) "
            "values ('default', 'returns', %s) on conflict (account, part) do update set known_since = "
            "least(known.known_since, excluded.known_since)",
            [self.day() - timedelta(days=60)],
        )

    def set_variables(self) -> None:
        """Somebody sets other limits."""
        self.limits = Limits(
            self.dice.choice((3, 14, 20)),
            self.dice.choice((Decimal("0.01"), Decimal(2))),
            self.dice.choice((14, 50)),
            self.dice.choice((30, 50)),
        )

    def be_killed(self) -> None:
        """A run is killed before its end."""
        with self.database.transaction(force_rollback=True):
            self.compare()

    def compare_days(self) -> None:
        """A backfill's run comes between."""
        reconcile(self.database, "default", self.limits, frozenset({self.day(), self.day()}))

    def compare(self) -> Reconciliation:
        """A run, as it is scheduled."""
        return reconcile(self.database, "default", self.limits)

    def whole(self) -> Reconciliation:
        """Return what a run that looks at everything would change now."""
        with self.database.transaction(force_rollback=True):
            self.database.execute("delete from backmarket.settlement_comparisons")
            return self.compare()


def send_back(database: Database, order_id: int, line: int | None, delivered: date | None) -> None:
    """Store a return as a reading does."""
    database.execute(
        "insert into backmarket.returns (account, shipment_id, order_id, orderline_id, date_delivery, document, "
        "read_at) values ('default', %s, %s, %s, %s, '{}', now()) on conflict (account, shipment_id) do update set "
        "orderline_id = excluded.orderline_id, date_delivery = excluded.date_delivery",
        [order_id, order_id, line, delivered],
    )


def refund(database: Database, order_id: int, amount: str, sent_at: date, *, status: str = "confirmed") -> None:
    """Send a refund of the order's line, as the ledger notes it."""
    payload = {
        "order_id": order_id,
        "orderline_id": order_id + 1000,
        "refund": "refund",
        "amount": amount,
        "currency": "EUR",
        "is_whole": amount == "100",
    }
    database.execute(
        "insert into backmarket.changes (account, kind, subject, payload, status, attempts, sent_at) "
        "values ('default', 'refund', %s, %s, 'sent', 1, %s) on conflict do nothing",
        [str(order_id + 1000), json.dumps(payload), sent_at],
    )
    database.execute(
        "update backmarket.changes set status = %s where kind = 'refund' and status = 'sent' and subject = %s",
        [status, str(order_id + 1000)],
    )


def complain(database: Database, order_id: int) -> None:
    """Store a care folder as a reading does, of another order than before."""
    database.execute(
        "insert into backmarket.care_folders (account, care_folder_id, order_id, document, read_at) "
        "values ('default', %s, %s, '{}', now()) on conflict (account, care_folder_id) do update set "
        "order_id = excluded.order_id",
        [order_id % 5, order_id],
    )


def totals_of_reports(database: Database) -> list[tuple[Any, ...]]:
    """The totals that reports show, of all days."""
    always = {"account": "default", "first_day": date(2000, 1, 1), "last_day": date(2100, 1, 1)}
    return database.execute(sql.statement("settlements/select_daily_totals"), always).fetchall()


def totals_of_rows(database: Database) -> list[tuple[Any, ...]]:
    """The same, added up anew."""
    return database.execute(
        "select day, currency, sales, fees, refunds, adjustments, net, paid_out "
        "from backmarket.settlement_daily_totals order by day, currency"
    ).fetchall()


def happenings(shop: Shop) -> list[Callable[[], Any]]:
    """What happens, the frequent more often."""
    return [
        *[shop.write_order] * 3,
        *[shop.load] * 3,
        *[shop.change_line] * 3,
        *[shop.change_order] * 3,
        shop.write_beside,
        shop.ask,
        shop.send_back,
        shop.refund,
        shop.complain,
        shop.know_returns,
        shop.take_away,
        shop.set_variables,
        shop.be_killed,
        shop.compare_days,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_looking_at_what_changed_finds_what_looking_at_everything_does(
    warehouse: Database, warehouse_uri: str, seed: int
) -> None:
    """Whatever happens, in whichever order: a run over everything has nothing to add, to change or to close."""
    with psycopg.connect(warehouse_uri, autocommit=True) as other:
        shop = Shop(warehouse, other, Random(seed))  # noqa: S311 - repeatable, not secret
        shop.compare()
        for step in range(STEPS):
            happened = shop.dice.choice(happenings(shop))
            happened()
            if shop.dice.random() < 0.6:
                shop.compare()
                assert totals_of_reports(warehouse) == totals_of_rows(warehouse), (step, happened.__name__)
                done = shop.whole()
                assert (done.changed, done.closed) == (0, 0), (step, happened.__name__)
    kinds = warehouse.execute("select count(distinct kind) from backmarket.settlement_finding_history").fetchone()
    assert kinds is not None
    assert kinds[0] >= 6


def missing(database: Database) -> list[int]:
    """The orders whose sale is missing."""
    return [order_id for kind, order_id, *_ in findings(database) if kind == "missing_sale"]


def cover(database: Database, *days: str, issued: str = "20260923", hour: int = 0) -> None:
    """Load an export of a statement with a row on each of these days, of no order that is stored."""
    rows = [sale(9, key="adjustment", day=day) for day in days]
    load(database, *rows, name=f"{issued}-EU-H-1.csv", hour=hour)


def test_limits_that_a_run_of_some_days_tried_do_not_stay(warehouse: Database) -> None:
    """Somebody lowers a Variable, looks at a day, and puts it back: the next run finds what it found before."""
    order(warehouse, 1)
    cover(warehouse, "2026-09-07", "2026-09-13", issued="20260914")
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == []
    reconcile(warehouse, "default", Limits(3, LIMITS.tolerance), frozenset({date(2026, 9, 8)}))
    assert missing(warehouse) == [1]
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == []


def test_a_run_that_waits_for_another_sees_by_which_limits_that_has_compared(
    warehouse: Database, warehouse_uri: str
) -> None:
    """One with other limits is under way when it begins."""
    order(warehouse, 1)
    cover(warehouse, "2026-09-07", "2026-09-13", issued="20260914")
    reconcile(warehouse, "default", LIMITS)
    with psycopg.connect(warehouse_uri, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            reconcile(other, "default", Limits(3, LIMITS.tolerance))
            waiting = pool.submit(reconcile, warehouse, "default", LIMITS)
            while not other.execute("select pid from pg_locks where not granted").rowcount:
                assert not waiting.done()
        waiting.result()
    assert missing(warehouse) == []


def test_a_mistyped_year_costs_no_days_of_centuries(warehouse: Database) -> None:
    """What a statement covers is marked as a period."""
    cover(warehouse, "0026-09-08", "2026-09-22")
    assert warehouse.execute("select from backmarket.settlement_stale_days").rowcount == 2
    assert warehouse.execute("select from backmarket.settlement_stale_covers").rowcount == 1
    cover(warehouse, "0026-09-08", "2026-09-22", hour=1)
    assert warehouse.execute("select from backmarket.settlement_stale_covers").rowcount == 1, "it covers the same"


@pytest.mark.parametrize("day", ["9999-12-31", "2027-09-15"])
@pytest.mark.parametrize("issued", ["20260915", "week_38_"])
def test_a_row_dated_in_the_future_makes_nothing_due(warehouse: Database, day: str, issued: str) -> None:
    """Its money counts, and orders whose statements are not there yet stay what they are: not due."""
    order(warehouse, 1)
    rows = [sale(9, "5.00", key="adjustment", day="2026-09-09"), sale(9, "1.00", key="adjustment", day=day)]
    for _ in range(2):
        load(warehouse, *rows, name=f"{issued}-EU-H-1.csv")
        assert reconcile(warehouse, "default", LIMITS).open_by_kind == {}
    assert warehouse.execute("select sum(amount) from backmarket.settlement_lines").fetchone() == (Decimal("6.00"),)
    assert newest_days(warehouse, "default") == (date(2026, 9, 9), date(2026, 9, 9))


def test_a_statement_that_covers_too_much_is_mended_by_the_migration(warehouse: Database) -> None:
    """What an older version stored of a mistyped year keeps no comparison from ending, and covers its own days."""
    order(warehouse, 1)
    for name, invoice in (("20260915-EU-H-1.csv", "named"), ("week_38.csv", "unnamed")):
        load(warehouse, sale(9, f"{len(invoice)}", key="adjustment"), sale(9, day="9999-12-31"), name=name)
    warehouse.execute("update backmarket.settlement_statements set covers = '[2026-09-08,9999-12-31]'")
    assert reconcile(warehouse, "default", LIMITS).open_by_kind == {"missing_sale": 1}, "as it was before"
    warehouse.execute((sql.folder() / "migrations" / "0048_covered_days.sql").read_bytes())
    covers = warehouse.execute(
        "select issued_on is null, covers::text from backmarket.settlement_statements order by 1"
    ).fetchall()
    assert covers == [(False, "[2026-09-08,2026-09-15)"), (True, "[2026-09-08,2026-09-09)")]
    assert reconcile(warehouse, "default", LIMITS).open_by_kind == {}


def test_two_checks_at_a_time_name_the_same_statements(warehouse: Database, warehouse_uri: str) -> None:
    """The second waits for the marks that the first leaves again."""
    cover(warehouse, "2026-09-08")
    warehouse.execute("update backmarket.settlement_statements set total = 1")
    with psycopg.connect(warehouse_uri, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            first = read_quality(other, "default").off
            second = pool.submit(read_quality, warehouse, "default")
            while not other.execute("select pid from pg_locks where not granted").rowcount:
                assert not second.done()
        assert second.result().off == first != []


@pytest.mark.parametrize("event", ["date_shipping", "date_modification"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        (("20260922", "2026-09-08"), ("20260929", "2026-09-28")),
        (("20260929", "2026-09-09", "2026-09-28"), ("20260909", "2026-09-08")),
    ],
    ids=["the last day comes last", "the first day comes last"],
)
def test_what_becomes_due_is_looked_at_once_all_days_are_covered(
    warehouse: Database, event: str, first: tuple[str, ...], last: tuple[str, ...]
) -> None:
    """A sale of a fortnight from shipping on, a refund of one from the order's last change on, and not before."""
    order(warehouse, 1, state=3 if event == "date_shipping" else 6)
    other = "date_modification" if event == "date_shipping" else "date_shipping"
    warehouse.execute(f"update backmarket.orders set {event} = '2026-09-08', {other} = '2026-10-20'".encode())
    if event == "date_modification":
        paid = [sale(1, day="2026-10-20"), sale(1, "-10.00", key="sales_fees", day="2026-10-20")]
        load(warehouse, *paid, name="20261026-EU-H-1.csv")
    cover(warehouse, *first[1:], issued=first[0])
    reconcile(warehouse, "default", LIMITS)
    assert findings(warehouse) == []
    cover(warehouse, *last[1:], issued=last[0])
    reconcile(warehouse, "default", LIMITS)
    kind = "missing_sale" if event == "date_shipping" else "refunded_line_without_refund"
    assert [found[:2] for found in findings(warehouse)] == [(kind, 1)]


def test_a_line_that_moves_changes_both_its_orders(warehouse: Database) -> None:
    """The one that it leaves expects nothing any more, the new one that takes it does."""
    order(warehouse, 1)
    cover(warehouse, "2026-09-08", "2026-09-22")
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == [1]
    order(warehouse, 2)
    warehouse.execute("delete from backmarket.order_lines where order_id = 2")
    reconcile(warehouse, "default", LIMITS)
    warehouse.execute("update backmarket.order_lines set order_id = 2")
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == [2]


def test_nothing_is_missing_on_days_that_are_covered_no_longer(warehouse: Database) -> None:
    """The newest export of a statement reaches less far back than the one before."""
    order(warehouse, 1)
    warehouse.execute("update backmarket.orders set date_shipping = '2026-08-20', date_modification = '2026-10-20'")
    cover(warehouse, "2026-08-10", "2026-09-22")
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == [1]
    cover(warehouse, "2026-09-22", hour=1)
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == []


def test_a_row_that_takes_the_place_of_a_lost_one_explains_it_whatever_their_days(warehouse: Database) -> None:
    """Also where the newest exports do not cover the day of the lost one."""
    for hour, days in enumerate((("2026-08-10",), (), ("2026-09-21",))):
        rows = [sale(1, day=day) for day in days]
        load(warehouse, *rows, sale(9, key="adjustment", day="2026-09-22"), name="20260923-EU-H-1.csv", hour=hour)
        reconcile(warehouse, "default", LIMITS)
        kinds = [kind for kind, *_ in findings(warehouse) if kind.startswith("line_")]
        assert kinds == [[], ["line_vanished"], ["line_changed"]][hour]


def test_the_first_comparison_waits_for_orders_that_are_being_stored(warehouse: Database, warehouse_uri: str) -> None:
    """They leave no mark: they were begun before there was anything to mark them for."""
    cover(warehouse, "2026-09-08", "2026-09-22")
    with psycopg.connect(warehouse_uri, autocommit=True) as merging, ThreadPoolExecutor(1) as pool:
        with merging.transaction():
            lock_merges(merging, "default")
            order(merging, 1)
            compared = pool.submit(reconcile, warehouse, "default", LIMITS)
            while not merging.execute("select pid from pg_locks where not granted").rowcount:
                assert not compared.done()
        compared.result()
    assert missing(warehouse) == [1]


@pytest.mark.parametrize(("days", "marks"), [(29, 1), (40, 0)])
def test_orders_leave_no_marks_where_nobody_compares(warehouse: Database, days: int, marks: int) -> None:
    """Where nobody has for a month, the next comparison looks at everything, and finds the same."""
    cover(warehouse, "2026-09-08", "2026-09-22")
    reconcile(warehouse, "default", LIMITS)
    warehouse.execute(
        "update backmarket.settlement_comparisons set compared_at = now() - make_interval(days => %s)", [days]
    )
    order(warehouse, 1)
    assert warehouse.execute("select from backmarket.settlement_stale_orders").rowcount == marks
    reconcile(warehouse, "default", LIMITS)
    assert missing(warehouse) == [1]
    assert warehouse.execute("select from backmarket.settlement_stale_orders").rowcount == 0
