"""What makes a chaos: the places where a process is killed, the count of faults, and what is not let pass."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos.__main__ import unfit_runs
from chaos.competition import Competition
from chaos.customers import Customers
from chaos.days import Days
from chaos.evidence import Loss
from chaos.options import Options, read_arguments
from chaos.poisons import SCENES, play
from chaos.report import Outcome, show
from chaos.residue import Residue
from chaos.runs import DAGS, Ended, Wanted
from chaos.seller import Seller
from chaos.stage import PROJECT, Stage
from chaos.steps import KillPoint
from chaos.weather import MIXTURE, Weather

if TYPE_CHECKING:
    import psycopg

    from chaos.runs import Runner
    from sandbox.remote import Sandbox


def _reach_all(visited: frozenset[str], note: Path, *steps: str) -> int:
    """Come to all steps in a process of its own; tell how it ended."""
    pid = os.fork()
    if pid == 0:
        point = KillPoint(visited, note)
        for step in steps:
            point.reach(step)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_is_killed_once_between_each_two_steps(tmp_path: Path) -> None:
    """Run after run it gets one pair further; when all were visited, it comes through."""
    visited: set[str] = set()
    note, steps = tmp_path / "pair", ("plan", "mark sent", "send", "mark sent", "send")
    for _ in range(4):
        assert _reach_all(frozenset(visited), note, *steps) == -signal.SIGKILL
        visited.add(note.read_text())
    assert visited == {"start | plan", "plan | mark sent", "mark sent | send", "send | mark sent"}
    assert _reach_all(frozenset(visited), note, *steps) == 0


def test_steps_of_two_threads_are_no_neighbours(tmp_path: Path) -> None:
    """However they fall, the same pairs are visited."""
    visited = frozenset({"start | read", "read | write", "start | plan", "plan | settle"})
    pid = os.fork()
    if pid == 0:
        point = KillPoint(visited, tmp_path / "pair")
        point.reach("plan")
        with ThreadPoolExecutor(1) as thread:
            for step in ("read", "write"):
                thread.submit(point.reach, step).result()
        point.reach("settle")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_struck_is_counted_by_kind(sandbox: Sandbox) -> None:
    """Faults that are off again count on; poisons and faults after a write have names of their own."""
    weather = Weather(sandbox, Random(1))  # noqa: S311
    order = sandbox.orders()[0]["order_id"]
    client = _Client(sandbox)
    sandbox.fault("500", times=None, order_id=order)
    client.get(f"/ws/orders/{order}")
    weather.calm()
    sandbox.fault("500", times=None)
    client.get(f"/ws/orders/{order}")
    client.get(f"/ws/orders/{order}")
    weather.note("process killed", 4)
    assert weather.injected() == Counter({"process killed": 4, "500": 2, "poison: 500": 1})
    assert weather.total == 7


def test_a_storm_has_every_kind(sandbox: Sandbox) -> None:
    """What the mixture names is on, besides perhaps a burst of 429."""
    Weather(sandbox, Random(1)).storm()  # noqa: S311
    assert {kind for kind, *_ in MIXTURE} == {fault["kind"] for fault in sandbox.faults()}


class _Client:
    def __init__(self, sandbox: Sandbox) -> None:
        import httpx

        self.get = httpx.Client(base_url=sandbox.base_url, headers=sandbox.headers).get


class _IdleRunner:
    """Runs nothing: whatever was to be done waits."""

    ended: tuple[Ended, ...] = ()

    def run(self, _wanted: Wanted) -> None:
        """Do nothing."""


@pytest.fixture
def days(sandbox: Sandbox, warehouse: psycopg.Connection[Any], warehouse_uri: str, tmp_path: Path) -> Days:
    """A harness whose runs do nothing."""
    stage, rng = Stage(tmp_path, sandbox, warehouse_uri), Random(1)  # noqa: S311
    stage.inbox.mkdir()
    stage.seller_inbox.mkdir()
    weather = Weather(sandbox, rng)
    runner, seller = cast("Runner", _IdleRunner()), Seller(stage, rng)
    competition = Competition(stage, seller, rng)
    competition.begin(4)
    return Days(stage, runner, seller, Customers(sandbox, rng), competition, weather, rng)


def test_every_scene_notices_that_healthy_items_wait(days: Days) -> None:
    """Where nothing is done at all, each scene tells of its own healthy items, and not of the sick one."""
    losses = play(days, together=True)
    assert {loss.kind for loss in losses} == {"healthy item waited"}
    assert {loss.subject for loss in losses} == {scene.name for scene in SCENES}


def test_every_dag_takes_part() -> None:
    """A new one has to be thought of in chaos."""
    assert set(DAGS) == {path.stem for path in (PROJECT / "dags").glob("*.py")}


def test_a_file_of_parcels_names_all_that_were_told_by_one(days: Days, sandbox: Sandbox) -> None:
    """It takes the place of the one before, and what files tell stands in no row of the seller's own."""
    for _ in range(2):
        sku = next(each["sku"] for each in sandbox.listings() if each["quantity"] > 1)
        sandbox.create_order(sku=sku, lines=[{"sku": sku, "state": 2}])
        days.seller.pack(by_file=1)
    (file,) = days.stage.seller_inbox.iterdir()
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    assert header == "order_id,tracking_number,shipper"
    assert [int(row.split(",")[0]) for row in rows] == list(days.seller.books.parcels)
    assert len(rows) > 1


def test_what_the_seller_counts_lacks_the_units_of_accepted_orders(days: Days, sandbox: Sandbox) -> None:
    """From the moment of acceptance on; a unit that is sold and not accepted yet is counted."""
    sku = next(each["sku"] for each in sandbox.listings() if each["quantity"] > 1)
    before = days.seller.free_units(sandbox.orders())[sku.lower()]
    sandbox.create_order(sku=sku, state=1)
    assert days.seller.free_units(sandbox.orders())[sku.lower()] == before
    sandbox.create_order(sku=sku, lines=[{"sku": sku, "state": 2}])
    assert days.seller.free_units(sandbox.orders())[sku.lower()] == before - 1


def test_prices_that_follow_the_competition_are_set_in_no_other_market(days: Days, sandbox: Sandbox) -> None:
    """A SKU with a cost follows it wherever it has a price: what the books say would be no price that must show."""
    for _ in range(5):
        days.seller.set_prices(len(sandbox.listings()))
    books = days.seller.books
    assert len(books.prices) > len(books.bounds) == 4
    assert {sku for sku, _ in books.prices}.isdisjoint(sku for sku, _ in books.bounds)


def test_runs_that_hang_or_break_are_losses_and_a_red_last_run_is_one(tmp_path: Path) -> None:
    """A killed run is none, and neither is a run that failed in the storm."""
    ways = (("a", "failed"), ("a", "success"), ("b", "killed"), ("b", "hung"), ("c", "crashed"), ("c", "success"))
    ended = [Ended(Wanted(dag_id), how, 1.0, tmp_path / f"{dag_id}.log") for dag_id, how in ways]
    found = [(loss.kind, loss.subject) for loss in unfit_runs([*ended, Ended(Wanted("d"), "failed", 1, Path("d.log"))])]
    assert sorted(found) == [
        ("red in calm weather", "b"),
        ("red in calm weather", "d"),
        ("run did not end", "b.log"),
        ("run did not end", "c.log"),
    ]


def test_the_command_line_chooses_seed_faults_and_minutes() -> None:
    """Without any, ten thousand faults are asked for."""
    assert read_arguments([]) == Options()
    assert Options().faults == 10_000
    options = read_arguments(["--seed", "5", "--faults", "20", "--minutes", "1.5", "--short"])
    assert (options.seed, options.faults, options.minutes, options.short) == (5, 20, 1.5, True)


def test_the_report_names_faults_runs_losses_and_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """All that a person needs to judge a chaos and to repeat it; each subject of a loss once."""
    losses = [Loss("order lost", "order 1", "listed, not stored")] * 3
    residue = Residue(Counter({"a": 4}), Counter({"b": 3}), Counter({"a": 5}), Counter({"a": 2}))
    runs = {"backmarket_orders": Counter({"killed": 5, "success": 6})}
    show(Outcome(41, 3, 75.0, Counter({"500": 8, "slow": 1}), runs, 17, residue, 2, losses))
    printed = capsys.readouterr().out
    for words in (
        "9 faults injected, 3 losses",
        "order 1: listed, not stored (and 2 more)",
        "4 units were sold between the reading",
        "3 were hidden",
        "5 were of raises without an answer",
        "2 were oversold",
        "2 prices were moved for the BackBox",
        "17 different places",
        "3 days in 1 min 15 s",
        "--seed 41",
    ):
        assert words in " ".join(printed.split())
