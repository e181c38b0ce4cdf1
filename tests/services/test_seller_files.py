"""Files fill the seller's tables: file by file stored, and never half; what they no longer say goes."""

from __future__ import annotations

import gzip
import io
import logging
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any

import psycopg
import pytest

from backmarket.rules.settlements.blocks import StatementError
from backmarket.services.seller_files import FilesLeftError, fail_where_files_are_left, target_of
from backmarket.warehouse import sql
from tests.services.seller_inbox import STOCK, STORED_AT, File, Inbox, csv_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_names_of_files_say_the_table(inbox: Inbox) -> None:
    """By their beginning; the file of rejected rows is none, and neither is anything else."""
    names = (
        "stock.csv", "Stock_FR.xlsx", "prices-today.csv", "shipments.csv", "devices1.csv", "catalog.json", "refunds.csv"
    )  # fmt: skip
    assert [target.name if (target := target_of(name)) else None for name in names] == [
        "stock", "stock", "prices", "shipments", "devices", "catalog", "refunds"
    ]  # fmt: skip
    assert [target_of(name) for name in ("stock.rejected.csv", "stocktaking.csv", "my stock.csv", "readme.txt")] == [
        None
    ] * 4


def test_a_file_whose_name_fits_no_table_is_named(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    """``stocks.csv`` was meant for the stock: nobody would wonder why it fills nothing. Our own files are not meant."""
    caplog.set_level(logging.INFO)
    inbox.load(csv_file(STOCK, "in/stocks.csv"), csv_file("x", "in/stock.rejected.csv"), csv_file(STOCK))
    assert (inbox.counts["files"], inbox.counts["unmatched"]) == (1, 1)
    assert "1 file left alone, as no table's name stands at the beginning: in/stocks.csv." in caplog.text


def test_bad_rows_are_named_and_cost_no_other(inbox: Inbox) -> None:
    """Beside the file with the reason, and in quarantine."""
    file = csv_file('sku,quantity,shelf\nA,1,x\n,2,y\nC,5 pcs,z\nD,4,"q",5,6\n')
    loading = inbox.load(file, is_snapshot=False)
    assert inbox.stock == {"A": 1}
    assert loading.rejected == 3
    assert file.beside[".rejected.csv"].splitlines() == [
        "sku,quantity,shelf,reason",
        ",2,y,sku is missing",
        "C,5 pcs,z,quantity is '5 pcs': a whole number is needed",
        'D,4,q,"it has more fields than the header, which has 3"',
    ]
    assert [row[0] for row in inbox.rows("select key from backmarket.quarantine order by key")] == [
        "row 3", "row 4 (C)", "row 5 (D)"
    ]  # fmt: skip
    inbox.load(csv_file("sku,quantity\nA,1\n", modified_at=STORED_AT + timedelta(minutes=1)))
    assert inbox.rows("select key from backmarket.quarantine") == []


def test_a_key_that_stands_twice_is_not_guessed(inbox: Inbox) -> None:
    """Rows that are alike are one; rows that differ are all refused."""
    loading = inbox.load(csv_file("sku,quantity\nA,1\nA,1\nB,1\nB,2\nC,3\n"), is_snapshot=False)
    assert inbox.stock == {"A": 1, "C": 3}
    assert loading.rejected == 2


def test_a_count_without_a_time_is_older_than_its_file(inbox: Inbox) -> None:
    """Orders that came in while it was made are taken off: rather some units too few than one too many."""
    inbox.load(csv_file("sku,quantity\nA,1\n"), count_lag=timedelta(minutes=30))
    assert inbox.rows("select counted_at::text from seller.stock") == [("2026-11-26 07:30:00+00",)]


def test_what_a_snapshot_does_not_name_is_sold_out(inbox: Inbox) -> None:
    """A stock file says everything: a SKU that has left it is not there any more."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\nC,3\n"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("sku,quantity\nA,1\nC,4\n", "in/stock2.csv", modified_at=later))
    assert inbox.stock == {"A": 1, "B": 0, "C": 4}
    assert inbox.counts["gone"] == 1


def test_an_increment_leaves_what_it_does_not_name(inbox: Inbox) -> None:
    """Only what the file itself had said before goes with a corrected version of it."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n"), is_snapshot=False)
    inbox.load(csv_file("sku,quantity\nC,3\n", "in/stock2.csv"), is_snapshot=False)
    assert inbox.stock == {"A": 1, "B": 2, "C": 3}
    corrected = csv_file("sku,quantity\nA,5\n", modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(corrected, is_snapshot=False, guard_pct=100)
    assert inbox.stock == {"A": 5, "B": 0, "C": 3}


def test_a_snapshot_that_takes_too_much_away_is_held(inbox: Inbox) -> None:
    """Half an export looks like half the stock sold out; a person may let it through."""
    inbox.load(csv_file("sku,quantity\n" + "".join(f"S{n},1\n" for n in range(10))))
    half = csv_file("sku,quantity\nS0,1\nS1,1\n", "in/stock2.csv", modified_at=STORED_AT + timedelta(hours=1))
    loading = inbox.load(half)
    assert loading.held == ["in/stock2.csv"]
    assert sum(inbox.stock.values()) == 10
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where status = 'held'")
    assert reason.startswith("it names 8 of the 10 rows of seller.stock no longer")
    assert inbox.load(half).held == ["in/stock2.csv"]
    assert inbox.load(half, may_drop_all=True).held == []
    assert sum(inbox.stock.values()) == 2


def test_a_held_file_says_itself_what_lets_it_through(inbox: Inbox) -> None:
    """The run's last message names no param that would not help; of rows without a key, only correcting them does."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n"))
    later = STORED_AT + timedelta(hours=1)
    loading = inbox.load(csv_file("sku,quantity\nA,1\n,2\n", "in/stock2.csv", modified_at=later))
    done = {"refused_files": [], "held_files": loading.held, "rejected": 0, "files_left": []}
    with pytest.raises(FilesLeftError, match=r"in/stock2\.csv is held.*seller_files say why") as told:
        fail_where_files_are_left(done)
    assert "allow_mass_zero" not in str(told.value)
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where status = 'held'")
    assert "allow_mass_zero" not in reason
    assert "Correct them" in reason


def test_a_rejected_row_is_not_gone(inbox: Inbox) -> None:
    """What a snapshot says of a SKU cannot be read: that is no zero. Nor is a row that names no SKU."""
    inbox.load(csv_file("sku,quantity\nA,1\nB,2\n"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("sku,quantity\nA,1\nB,two\n", "in/stock2.csv", modified_at=later))
    assert inbox.stock == {"A": 1, "B": 2}
    loading = inbox.load(csv_file("sku,quantity\nA,1\n,2\n", "in/stock3.csv", modified_at=later))
    assert loading.held == ["in/stock3.csv"]


def _prices(*rows: str, hours: int = 0) -> File:
    text = "\n".join(("sku,market,price,currency", *rows, ""))
    return csv_file(text, f"in/prices{hours}.csv", modified_at=STORED_AT + timedelta(hours=hours))


@pytest.mark.parametrize("market", ["fr-fx", "amazon", ""])
def test_a_price_without_a_market_of_back_markets_holds_no_other(inbox: Inbox, market: str) -> None:
    """It may be any price of its SKU, of which nothing is gone; of the other SKUs everything is said."""
    inbox.load(_prices("A,fr-fr,100,EUR", "A,de-de,101,EUR", "B,fr-fr,200,EUR", "C,fr-fr,300,EUR", "D,fr-fr,400,EUR"))
    loading = inbox.load(_prices(f"A,{market},90,EUR", "A,de-de,95,EUR", "B,fr-fr,190,EUR", "D,fr-fr,390,EUR", hours=1))
    assert (loading.held, loading.rejected) == ([], 1)
    stored = inbox.rows("select sku, market, price::text from seller.prices order by sku, market")
    assert stored == [
        ("A", "de-de", "95"),
        ("A", "fr-fr", "100"),
        ("B", "fr-fr", "190"),
        ("D", "fr-fr", "390"),
    ]


def test_prices_of_other_channels_that_were_stored_once_hold_no_file(inbox: Inbox) -> None:
    """They can be read no more, and go with the first file that is loaded since."""
    inbox.load(_prices("A,fr-fr,100,EUR", "B,fr-fr,200,EUR"))
    inbox.connection.execute("insert into seller.prices values ('default', 'A', 'amazon', 99, 'EUR', null)")
    loading = inbox.load(_prices("A,fr-fr,90,EUR", "A,amazon,89,EUR", "B,fr-fr,190,EUR", hours=1))
    assert (loading.held, loading.rejected) == ([], 1)
    stored = inbox.rows("select sku, market, price::text from seller.prices order by sku, market")
    assert stored == [("A", "fr-fr", "90"), ("B", "fr-fr", "190")]


def test_a_market_that_was_stored_in_capitals_is_the_same(inbox: Inbox) -> None:
    """As an earlier version stored it, or as the seller's own system does: its price is replaced, in whatever file."""
    inbox.load(_prices("A,fr-fr,100,EUR", "B,fr-fr,200,EUR"))
    inbox.connection.execute("update seller.prices set market = 'FR-FR '")
    assert inbox.load(_prices("A,FR-FR,90,EUR", hours=1), is_snapshot=False).held == []
    assert inbox.load(_prices("A,FR-FR,80,EUR", "B,FR-FR,190,EUR", hours=2)).held == []
    stored = inbox.rows("select sku, market, price::text from seller.prices order by sku")
    assert stored == [("A", "fr-fr", "80"), ("B", "fr-fr", "190")]


def test_a_file_of_refunds_names_all_of_its_lines_and_says_it_once(inbox: Inbox) -> None:
    """Two parts of a line are both meant; a file that comes again, or a copy of a row, asks for nothing more."""
    header = "Commande;Ligne commande;Type de remboursement;Montant remboursé;Devise;Motif retour\n"
    rows = "50;501;refund;20,00;EUR;21\n50;501;refund;5,50;EUR;\n50;501;refund;5,50;EUR;\n51;;cancel;;;\n"
    inbox.load(csv_file(header + rows, "in/refunds.csv"))
    query = (
        "select order_id, orderline_id, kind, amount::text, currency, return_reason from seller.refunds order by 1, 4"
    )
    asked = [
        (50, 501, "refund", "20.00", "EUR", 21),
        (50, 501, "refund", "5.50", "EUR", None),
        (51, None, "cancel", None, None, None),
    ]
    assert inbox.rows(query) == asked
    later = STORED_AT + timedelta(hours=1)
    again = csv_file(header + rows.replace("20,00", "20,000"), "in/refunds.csv", modified_at=later)
    inbox.load(again)
    assert (inbox.counts["new"], inbox.counts["changed"], inbox.counts["gone"]) == (0, 0, 0)
    assert inbox.rows(query) == asked
    # Another file speaks of its own lines alone.
    inbox.load(csv_file(header + "50;501;refund;7,00;EUR;\n", "in/refunds_friday.csv", modified_at=later), again)
    assert [row[:4] for row in inbox.rows(query)] == [(50, 501, "refund", "7.00"), (51, None, "cancel", None)]


def test_what_is_written_about_a_customer_stands_in_no_reason(inbox: Inbox) -> None:
    """A column of sentences that is taken for the number of a reason: the row is named, and says that it is none."""
    header = "order_id;orderline_id;kind;Grund\n"
    rows = "50;501;refund;Frau Erika Muster, Karton eingedrückt\n50;502;refund;2x\n50;503;refund;21\n50;504;refund;\n"
    inbox.load(csv_file(header + rows, "in/refunds.csv"))
    reasons = [reason for (reason,) in inbox.rows("select reason from backmarket.quarantine order by key")]
    assert reasons == ["return_reason cannot be read: a whole number is needed"] * 2


def test_a_content_is_loaded_once(inbox: Inbox) -> None:
    """Under whatever name: what the seller's system has changed since stays."""
    inbox.load(csv_file(STOCK))
    inbox.connection.execute("update seller.stock set quantity = 7 where sku = 'A'")
    inbox.load(csv_file(STOCK), csv_file(STOCK, "in/stock_again.csv"))
    assert inbox.stock == {"A": 7, "B": 2}


def test_a_content_that_comes_back_is_loaded_again(inbox: Inbox) -> None:
    """Monday's count may be Wednesday's, with another one between; and one table's content may be another's."""
    monday = csv_file("sku,quantity\nA,1\n", "in/stock_1.csv")
    tuesday = csv_file("sku,quantity\nA,2\n", "in/stock_2.csv", modified_at=STORED_AT + timedelta(days=1))
    wednesday = csv_file("sku,quantity\nA,1\n", "in/stock_3.csv", modified_at=STORED_AT + timedelta(days=2))
    inbox.load(monday, tuesday)
    assert inbox.stock == {"A": 2}
    inbox.load(monday, tuesday, wednesday)
    assert inbox.stock == {"A": 1}


@pytest.mark.parametrize("path", ["in/stock.csv", "in/stock_2.csv"])
def test_a_count_that_comes_out_the_same_is_a_new_count(inbox: Inbox, path: str) -> None:
    """Orders are accepted by a fresh count: one without a time is as new as its file, whatever that says."""
    inbox.load(csv_file("sku,quantity\nA,1\n"))
    again = csv_file("sku,quantity\nA,1\n", path, modified_at=STORED_AT + timedelta(days=1))
    inbox.load(again)
    counted = [("2026-11-27 07:00:00+00",)]
    assert inbox.rows("select counted_at::text from seller.stock") == counted
    assert inbox.counts["changed"] == 1
    # An older copy of it is no newer count, and neither is a newer copy of one that says its time.
    inbox.load(again, csv_file("sku,quantity\nA,1\n", "in/stock_3.csv", modified_at=STORED_AT))
    assert inbox.rows("select counted_at::text from seller.stock") == counted


def test_a_count_with_a_time_is_as_old_as_it_says(inbox: Inbox) -> None:
    """A newer copy of it is no newer count: what the seller's system has changed since stays."""
    inbox.load(csv_file(STOCK))
    inbox.connection.execute("update seller.stock set quantity = 7 where sku = 'A'")
    inbox.load(csv_file(STOCK, modified_at=STORED_AT + timedelta(days=1)))
    assert inbox.stock == {"A": 7, "B": 2}


@pytest.mark.parametrize("may_drop_all", [False, True])
def test_an_older_snapshot_never_replaces_a_newer_one(inbox: Inbox, may_drop_all: bool) -> None:
    """Neither one that was held and is let through too late, nor one that the storage gives a run later."""
    sunday = csv_file("sku,quantity\n" + "".join(f"S{n},1\n" for n in range(9)), "in/stock_0.csv")
    monday = csv_file("sku,quantity\nS0,5\n", "in/stock_1.csv", modified_at=STORED_AT + timedelta(days=1))
    tuesday = csv_file(
        "sku,quantity\n" + "".join(f"S{n},2\n" for n in range(9)),
        "in/stock_2.csv",
        modified_at=STORED_AT + timedelta(days=2),
    )
    late = csv_file("sku,quantity\n" + "".join(f"S{n},3\n" for n in range(9)), "in/stock_3.csv")
    inbox.load(sunday, monday, tuesday)
    for _ in range(2):
        loading = inbox.load(sunday, monday, tuesday, late, may_drop_all=may_drop_all)
        assert set(inbox.stock.values()) == {2}
        assert (loading.held, loading.refused) == ([], [])
    query = "select path, reason from backmarket.seller_files where status = 'superseded' order by path"
    told = inbox.rows(query)
    assert [path for path, _ in told] == ["in/stock_1.csv", "in/stock_3.csv"]
    assert told[0][1].startswith("it is older than in/stock_2.csv, which is loaded")
    assert inbox.rows("select key from backmarket.quarantine") == []
    # In its own place an older version holds: that is where a person puts it back.
    inbox.load(csv_file("sku,quantity\n" + "".join(f"S{n},4\n" for n in range(9)), "in/stock_2.csv"))
    assert set(inbox.stock.values()) == {4}


def test_a_snapshot_of_a_time_to_come_is_as_new_as_when_it_was_seen(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A clock that is wrong by a year freezes no stock for a year; its count is no newer than that either."""
    inbox.now = STORED_AT
    ahead = csv_file("sku,quantity\nA,1\n", "in/stock_1.csv", modified_at=STORED_AT + timedelta(days=365))
    inbox.load(csv_file("sku,quantity\nA,0\n", "in/stock_0.csv"), ahead)
    assert inbox.rows("select quantity, counted_at::text from seller.stock") == [(1, "2026-11-26 07:00:00+00")]
    (told,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert told.startswith("in/stock_1.csv says that it was stored at 2027-11-26 08:00 UTC, which was still to come")
    inbox.now = STORED_AT + timedelta(minutes=30)
    later = csv_file("sku,quantity\nA,1\n", "in/stock_2.csv", modified_at=STORED_AT + timedelta(minutes=15))
    inbox.load(ahead, later)
    assert inbox.rows("select counted_at::text from seller.stock") == [("2026-11-26 07:15:00+00",)]
    caplog.clear()
    inbox.load(ahead, later)
    assert caplog.record_tuples == []


def test_a_held_snapshot_of_a_time_to_come_is_no_newer_each_time_it_is_seen(inbox: Inbox) -> None:
    """Else it could be let through weeks later, over counts that came after it."""
    whole = "sku,quantity\n" + "".join(f"S{n},1\n" for n in range(9))
    inbox.now = STORED_AT
    held = csv_file("sku,quantity\nS0,5\n", "in/stock_1.csv", modified_at=STORED_AT + timedelta(days=365))
    inbox.load(csv_file(whole), held)
    inbox.connection.execute("update backmarket.seller_files set read_at = %s", [inbox.now])
    inbox.now = STORED_AT + timedelta(days=1)
    newer = csv_file(whole.replace(",1", ",2"), "in/stock_2.csv", modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(held, newer)
    assert inbox.load(held, newer, may_drop_all=True).held == []
    assert set(inbox.stock.values()) == {2}


def test_what_a_file_of_a_time_to_come_has_kept_out_is_loaded_after_an_upgrade(inbox: Inbox) -> None:
    """Up to then its time stood as its storage said it."""
    inbox.now = STORED_AT
    ahead = csv_file("sku,quantity\nA,1\n", "in/stock_1.csv", modified_at=STORED_AT + timedelta(days=365))
    later = csv_file("sku,quantity\nA,2\n", "in/stock_2.csv", modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(ahead)
    inbox.connection.execute("update backmarket.seller_files set read_at = %s, loaded_of = modified_at", [STORED_AT])
    inbox.now = STORED_AT + timedelta(hours=2)
    inbox.load(ahead, later)
    assert inbox.stock == {"A": 1}
    migration = sql.folder() / "migrations" / "0056_no_file_of_the_future.sql"
    inbox.connection.execute(migration.read_bytes())
    inbox.load(ahead, later)
    assert inbox.stock == {"A": 2}


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_refused_snapshot_is_told_no_more_once_a_newer_one_is_loaded(inbox: Inbox, is_broken: bool) -> None:
    """A corrected file in its place would be the newest, and bring its old count back."""

    class Broken(File):
        @contextmanager
        def content(self) -> Iterator[tuple[IO[bytes], str]]:
            if is_broken:
                raise StatementError("the archive cannot be unpacked: it ends too early")
            yield io.BytesIO(self.data), "refused"

    monday = Broken("in/stock_1.csv", b"sku,quantity\n")
    tuesday = csv_file("sku,quantity\nA,2\n", "in/stock_2.csv", modified_at=STORED_AT + timedelta(days=1))
    assert inbox.load(monday).refused == ["in/stock_1.csv"]
    inbox.load(monday, tuesday)
    for _ in range(2):
        assert inbox.load(monday, tuesday).refused == []
    assert inbox.rows("select path, status from backmarket.seller_files order by 1") == [
        ("in/stock_1.csv", "superseded"),
        ("in/stock_2.csv", "loaded"),
    ]
    assert inbox.rows("select key from backmarket.quarantine") == []
    assert inbox.stock == {"A": 2}


def test_an_older_row_never_replaces_a_newer_one(inbox: Inbox) -> None:
    """Of files that say their own rows alone the newer one holds, whichever is read first; all else is loaded."""
    header, later = "order_id,tracking_number\n", STORED_AT + timedelta(days=1)
    newer = csv_file(header + "1,NEW1\n2,NEW2\n", "in/shipments_2.csv", modified_at=later)
    inbox.load(newer)
    older = csv_file(header + "2,OLD2\n3,OLD3\n", "in/shipments_1.csv")
    inbox.load(newer, older)
    query = "select order_id, tracking_number from seller.shipments order by 1"
    assert inbox.rows(query) == [(1, "NEW1"), (2, "NEW2"), (3, "OLD3")]
    # What the newer one no longer says is the older one's to say.
    corrected = csv_file(header + "1,NEW1\n", "in/shipments_2.csv", modified_at=later + timedelta(hours=1))
    again = csv_file(header + "2,OLD2\n3,OLD3\n\n", "in/shipments_1.csv", modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(corrected, again)
    assert inbox.rows(query) == [(1, "NEW1"), (3, "OLD3")]
    inbox.load(corrected, csv_file(header + "2,OLD2\n3,OLD3\n", "in/shipments_1.csv", modified_at=STORED_AT))
    assert inbox.rows(query) == [(1, "NEW1"), (2, "OLD2"), (3, "OLD3")]


def test_what_a_killed_attempt_has_loaded_is_told_by_the_next(inbox: Inbox) -> None:
    """Its rows and its bad rows: the asset is updated, and the run ends red. Another run tells of its own alone."""
    file, other = csv_file("sku,quantity\nA,1\nB,x\n"), csv_file("order_id,imei\n1,356938035643809\n", "in/devices.csv")

    class Killed(File):
        def content(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inbox.load(file, Killed("in/x", b"", modified_at=STORED_AT), Killed("in/stock_2.csv", b""), run_id="killed")
    loading = inbox.load(file, other, run_id="killed")
    assert inbox.counts == {"files": 2, "unmatched": 0, "loaded": 2, "new": 2, "changed": 0, "gone": 0}
    assert loading.rejected == 1
    assert inbox.load(file, other).rejected == 0


def test_a_corrected_file_that_is_a_copy_of_another_has_no_bad_rows(inbox: Inbox) -> None:
    """What was said of its former content is said no longer."""
    inbox.load(
        csv_file("sku,quantity\nA,x\nB,2\n", "in/stock_1.csv"), csv_file("sku,quantity\nA,1\nB,2\n", "in/stock_2.csv")
    )
    corrected = csv_file("sku,quantity\nA,1\nB,2\n", "in/stock_1.csv", modified_at=STORED_AT + timedelta(hours=-1))
    inbox.load(corrected)
    assert inbox.rows("select key from backmarket.quarantine") == []
    assert corrected.beside == {".rejected.csv": ""}


def test_a_renamed_file_takes_back_what_it_had_said(inbox: Inbox) -> None:
    """A refund that a file asks for by mistake goes with the correction, under whatever name that comes."""
    header, later = "order_id,orderline_id,kind,amount,currency\n", STORED_AT + timedelta(hours=1)
    asked = header + "50,501,refund,20.00,EUR\n51,511,refund,5.00,EUR\n"
    inbox.load(csv_file(asked, "in/refunds.csv"))
    inbox.load(csv_file(asked, "in/refunds_friday.csv"))
    inbox.load(csv_file(header + "51,511,refund,5.00,EUR\n", "in/refunds_friday.csv", modified_at=later))
    assert inbox.rows("select order_id from seller.refunds") == [(51,)]
    assert inbox.counts["gone"] == 1


def test_what_is_said_of_a_file_goes_with_it(inbox: Inbox) -> None:
    """Its rows stay; when it comes back, it is read anew."""
    bad, good = csv_file("sku,quantity\nA,1\nB,x\n"), csv_file("sku,imei\n", "in/devices.csv")
    inbox.load(bad, good)
    assert len(inbox.rows("select 1 from backmarket.quarantine")) == 2
    inbox.load()
    assert inbox.rows("select 1 from backmarket.quarantine") == []
    assert inbox.stock == {"A": 1}
    loading = inbox.load(bad)
    assert loading.rejected == 1
    assert inbox.rows("select key from backmarket.quarantine") == [("row 3 (B)",)]


def test_all_rows_of_an_order_are_replaced(inbox: Inbox) -> None:
    """A corrected file says all devices of its orders; those of other orders stay."""
    rows = "order_id,sku,imei\n1,A,356938035643809\n1,B,490154203237518\n2,A,352099001761481\n"
    inbox.load(csv_file(rows, "in/devices.csv"))
    later = STORED_AT + timedelta(hours=1)
    inbox.load(csv_file("order_id,sku,imei\n1,A,356938035643809\n", "in/devices2.csv", modified_at=later))
    assert inbox.rows("select order_id, sku from seller.devices order by 1, 2") == [(1, "A"), (2, "A")]


def test_rows_of_another_account_are_refused(inbox: Inbox) -> None:
    """An inbox is one account's."""
    loading = inbox.load(csv_file("account,sku,quantity\ndefault,A,1\nus,B,1\n"))
    assert inbox.stock == {"A": 1}
    assert loading.rejected == 1


def test_units_are_counted_for_one_account_where_two_read_one_inbox(inbox: Inbox) -> None:
    """Both would sell them. The same count in another folder, and rows that name their account, are each one's own."""
    file, other = csv_file("sku,quantity\nA,1\n"), replace(inbox, account="us")
    inbox.load(file)
    for _ in range(2):
        assert other.load(file).refused == ["in/stock.csv"]
    ((reason,),) = inbox.rows("select reason from backmarket.seller_files where account = 'us'")
    assert reason.startswith("account default reads this very file")
    assert "backmarket_us__seller_inbox" in reason
    assert other.load(csv_file("sku,quantity\nA,1\n", "us/stock.csv")).refused == []
    named = csv_file(
        "account,sku,quantity\ndefault,B,1\nus,C,2\n",
        "in/stock of both.csv",
        modified_at=STORED_AT + timedelta(hours=1),
    )
    inbox.load(named)
    assert other.load(named).refused == []
    rows = inbox.rows("select account, sku, quantity from seller.stock where quantity > 0 order by 1, 2")
    assert rows == [("default", "B", 1), ("us", "C", 2)]
    prices = csv_file("sku,market,price,currency\nA,fr-fr,100.00,EUR\n", "in/prices.csv")
    assert inbox.load(prices).refused == other.load(prices).refused == []


def test_a_file_that_the_other_account_gives_up_is_loaded(inbox: Inbox) -> None:
    """It is read again by each run until then."""
    file, other = csv_file("sku,quantity\nA,1\n"), replace(inbox, account="us")
    inbox.load(file)
    other.load(file)
    inbox.load()
    assert other.load(file).refused == []
    assert inbox.rows("select account, quantity from seller.stock where account = 'us'") == [("us", 1)]


PLACES = "sku,quantity,Lager,counted_at\nA,1,Paris,2026-11-26T07:00:00Z\nA,2,Lyon,2026-11-26T07:00:00Z\n"


def test_stock_is_told_by_warehouse(inbox: Inbox) -> None:
    """A row each; the warehouse that a snapshot leaves out has nothing of it, as has the SKU without a warehouse."""
    query = (
        "select '', quantity from seller.stock union all select warehouse, quantity from seller.stock_by_warehouse "
        "order by 1, 2"
    )
    inbox.load(csv_file(STOCK.replace("B,2", "A,2")))
    assert inbox.rows(query) == [], "without warehouses two rows of a SKU contradict each other"
    inbox.load(csv_file(STOCK.replace("B,2", "B,0"), "in/stock-1.csv"))
    loading = inbox.load(csv_file(PLACES, "in/stock-2.csv"))
    assert (loading.refused, loading.held, loading.rejected) == ([], [], 0)
    assert inbox.rows(query) == [("", 0), ("", 0), ("Lyon", 2), ("Paris", 1)]
    inbox.load(csv_file(PLACES.replace("A,2,Lyon", "A,3,Paris") + "A,4,Lyon,\n", "in/stock-3.csv"))
    assert inbox.rows(query)[2:] == [("Lyon", 4), ("Paris", 1)], "which of two rows of Paris is meant is not guessed"
    inbox.load(csv_file(PLACES.replace("A,1,Paris", "A,7,Lille"), "in/stock-4.csv"))
    assert inbox.rows(query)[2:] == [("Lille", 7), ("Lyon", 2), ("Paris", 0)]


def test_a_file_without_warehouses_is_read_as_ever(inbox: Inbox) -> None:
    """Also by a warehouse for all of its rows, which the seller has named."""
    inbox.load(csv_file(STOCK))
    assert inbox.rows("select key from backmarket.seller_file_rows order by 1") == [("A",), ("B",)]
    changed = csv_file(STOCK.replace("A,1", "A,5"), modified_at=STORED_AT + timedelta(hours=1))
    inbox.load(changed)
    assert inbox.stock == {"A": 5, "B": 2}
    twice = STOCK + "A,2,2026-11-26T07:00:00Z\n"
    rules: dict[str, Any] = {"columns": {"stock": {"=Paris": "warehouse"}}, "may_drop_all": True}
    assert inbox.load(csv_file(twice, "in/stock-paris.csv", modified_at=changed.modified_at), **rules).rejected == 2
    query = (
        "select sku, '', quantity from seller.stock union all "
        "select sku, warehouse, quantity from seller.stock_by_warehouse order by 1, 2"
    )
    assert inbox.rows(query) == [("A", "", 0), ("B", "", 0), ("B", "Paris", 2)]


def test_a_map_of_skus_names_all_listings_of_its_skus(inbox: Inbox) -> None:
    """What it says no more is gone, of these SKUs alone; a row without units takes one."""
    query = "select sku, listing_sku, units from seller.sku_map order by 1, 2"
    first = csv_file("SKU;Listing SKU;Units per listing\nA;L1;\nA;L2;2\nB;L1;1\n", "in/sku_map.csv")
    assert inbox.load(first).refused == []
    assert inbox.rows(query) == [("A", "L1", None), ("A", "L2", 2), ("B", "L1", 1)]
    inbox.load(csv_file("sku,listing_sku\nA,L3\n", "in/sku_map_new.csv"))
    assert inbox.rows(query) == [("A", "L3", None), ("B", "L1", 1)]


@pytest.mark.parametrize("row", ["B,,1", "B,L2,0", "B,L2,x", "A,L1,3"])
def test_a_map_with_a_bad_row_is_refused_as_a_whole(inbox: Inbox, row: str) -> None:
    """A SKU whose row is left out would feed the listing of its own name."""
    file = csv_file(f"sku,listing_sku,units\nA,L1,2\n{row}\n", "in/sku_map.csv")
    assert inbox.load(file).refused == ["in/sku_map.csv"]
    assert inbox.rows("select sku from seller.sku_map") == []


def test_a_table_that_lacks_a_column_costs_no_other(inbox: Inbox) -> None:
    """Its files are refused, and told why."""
    inbox.connection.execute(
        "drop table seller.prices; create table seller.prices (account text, sku text, market text)"
    )
    prices = csv_file("sku,market,price,currency\nA,fr-fr,9.90,EUR\n", "in/prices.csv")
    loading = inbox.load(prices, csv_file("sku,quantity\nA,1\n"))
    assert loading.refused == ["in/prices.csv"]
    assert inbox.stock == {"A": 1}
    reason = "seller.prices does not take its rows (UndefinedColumn)"
    assert inbox.rows("select reason from backmarket.seller_files where path = 'in/prices.csv'") == [(reason,)]


def test_a_view_is_not_filled(inbox: Inbox) -> None:
    """Whoever put it there fills it."""
    inbox.connection.execute("drop table seller.stock")
    inbox.connection.execute(
        "create view seller.stock as select ''::text account, ''::text sku, 1 quantity, now() counted_at, "
        "1 safety_qty, 1 max_qty, now() orders_known_until where false"
    )
    loading = inbox.load(csv_file(STOCK))
    assert loading.refused == ["in/stock.csv"]


@pytest.mark.parametrize(
    "was", [{}, {"columns": {"stock": {"Kennung": "ean"}}}, {"columns": {"stock": {"=x": "quantity"}}}]
)
def test_a_file_whose_columns_are_said_later_is_read_as_it_lies_there(inbox: Inbox, was: dict[str, Any]) -> None:
    """What refused it tells to say them in a Variable: nobody thinks of storing the file anew, too."""
    file = csv_file("Kennung,Auf Regal\nA,7\n")
    for _ in range(2):
        assert inbox.load(file, **was).refused == ["in/stock.csv"]
    said: dict[str, Any] = {"columns": {"stock": {"Kennung": "sku", "Auf Regal": "quantity"}}}
    assert inbox.load(file, **said).refused == []
    assert inbox.stock == {"A": 7}
    assert inbox.rows("select key from backmarket.quarantine") == []


def test_a_file_is_read_once_its_table_takes_it(inbox: Inbox) -> None:
    """Whoever took the view away, or gave the table its column, need not store the file anew."""
    file = csv_file("sku,market,price,currency\nA,fr-fr,9.90,EUR\n", "in/prices.csv")
    inbox.connection.execute("alter table seller.prices rename column min_price to floor")
    assert inbox.load(file).refused == ["in/prices.csv"]
    inbox.connection.execute("alter table seller.prices rename to other")
    inbox.connection.execute("create view seller.prices as select * from seller.other")
    assert inbox.load(file).refused == ["in/prices.csv"]
    inbox.connection.execute("drop view seller.prices; alter table seller.other rename to prices")
    inbox.connection.execute("alter table seller.prices rename column floor to min_price")
    assert inbox.load(file).refused == []
    assert inbox.rows("select sku from seller.prices") == [("A",)]


@pytest.mark.parametrize("rules", [{"is_snapshot": False}, {"guard_pct": 90}])
def test_a_held_file_is_let_through_by_the_variables_that_held_it(inbox: Inbox, rules: dict[str, Any]) -> None:
    """A file for each warehouse is held until the mode says so; then it is loaded as it lies there."""
    inbox.load(csv_file("sku,quantity\n" + "".join(f"S{n},1\n" for n in range(9)), "in/stock_paris.csv"))
    other = csv_file("sku,quantity\nL,3\nS0,1\n", "in/stock_lyon.csv", modified_at=STORED_AT + timedelta(hours=1))
    for _ in range(2):
        assert inbox.load(other).held == ["in/stock_lyon.csv"]
    assert inbox.load(other, **rules).held == []
    assert inbox.stock["L"] == 3


def test_killed_between_any_two_statements_it_ends_the_same(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a file or nothing of it, and the next run does what was not done."""
    import itertools

    file = csv_file("sku,quantity\nA,1\nB,2\nC,x\n")
    execute = psycopg.Connection.execute
    for place in itertools.count():
        inbox.connection.execute("truncate seller.stock, backmarket.seller_files, backmarket.seller_file_rows")
        inbox.connection.execute("delete from backmarket.quarantine")
        left = itertools.count()

        def dies(self: Any, *args: Any, place: int = place, left: Any = left, **kwargs: Any) -> Any:
            if next(left) == place:
                raise KeyboardInterrupt
            return execute(self, *args, **kwargs)

        monkeypatch.setattr(psycopg.Connection, "execute", dies)
        try:
            inbox.load(file, is_snapshot=False)
        except KeyboardInterrupt:
            monkeypatch.setattr(psycopg.Connection, "execute", execute)
            stock, files = inbox.stock, inbox.rows("select count(*) from backmarket.seller_files")
            assert (stock, files) in (({}, [(0,)]), ({"A": 1, "B": 2}, [(1,)]))
            inbox.load(file, is_snapshot=False)
            assert inbox.stock == {"A": 1, "B": 2}
            assert inbox.rows("select count(*) from backmarket.quarantine") == [(1,)]
        else:
            break
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    assert place > 10


def test_a_file_that_cannot_be_unpacked_costs_no_other(inbox: Inbox) -> None:
    """It is named, and not opened again until it changes."""

    class Broken(File):
        @contextmanager
        def content(self) -> Iterator[tuple[IO[bytes], str]]:
            if self.data:
                raise StatementError("the archive cannot be unpacked: it ends too early")
            yield io.BytesIO(), ""

    broken = Broken("in/stock.csv.gz", b"x")
    for _ in range(2):
        loading = inbox.load(broken, csv_file("order_id,imei\n1,356938035643809\n", "in/devices.csv"))
        assert loading.refused == ["in/stock.csv.gz"]
    assert inbox.rows("select count(*) from seller.devices") == [(1,)]
    ((reason,),) = inbox.rows("select reason from backmarket.quarantine")
    assert "ends too early" in reason


def test_a_packed_file_is_told_by_its_inner_name() -> None:
    """The inbox unpacks ``.gz``; its name still begins with the table's."""
    assert target_of("stock.csv.gz")
    assert gzip.decompress(gzip.compress(b"x")) == b"x"


_LOADS = """
import logging, sys, psycopg
from backmarket.hooks.inbox import SELLER, list_inbox
from backmarket.services.seller_files import FileRules, SellerFileLoading

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    loading = SellerFileLoading(connection, "default", FileRules(), logging.getLogger(), "run")
    loading.load(list_inbox(sys.argv[2], SELLER))
"""


def test_a_process_that_is_killed_in_the_merge_leaves_all_or_nothing(
    inbox: Inbox, warehouse_uri: str, tmp_path: Path
) -> None:
    """SIGKILL between two tables of the transaction: the table is as before, and the next process does it all."""
    (tmp_path / "stock.csv").write_text("sku,quantity\nA,1\nB,2\n")
    inbox.load(csv_file("sku,quantity\nB,7\n", "in/stock_before.csv"))
    # Just after the rows are stored, before it is noted that they are.
    inbox.connection.execute(
        "create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;"
        "create trigger wait after insert on seller.stock execute function wait()"
    )
    command = [sys.executable, "-c", _LOADS, warehouse_uri, tmp_path.as_uri()]
    with subprocess.Popen(command) as process:
        waits = "select true from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
        _until(lambda: inbox.rows(waits))
        process.send_signal(signal.SIGKILL)
    assert inbox.stock == {"B": 7}
    assert inbox.rows("select path from backmarket.seller_files") == [("in/stock_before.csv",)]
    subprocess.run(command, check=True)
    assert inbox.stock == {"A": 1, "B": 2}
    assert inbox.rows("select status, new_rows, changed_rows from backmarket.seller_files order by path")[0] == (
        "loaded",
        1,
        1,
    )


def _until(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)
