"""`python -m chaos`: faults of every kind against all DAGs; exits 0 only with zero losses."""

from __future__ import annotations

import pickle
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from chaos.competition import Competition
from chaos.customers import Customers
from chaos.days import Days
from chaos.evidence import Loss, gather
from chaos.judge import judge, moves
from chaos.leaks import find_leaks
from chaos.options import Options, read_arguments
from chaos.poisons import play
from chaos.report import Outcome, show
from chaos.residue import residue
from chaos.seller import REFUND_MESSAGE, Seller
from chaos.stage import open_stage
from chaos.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.runs import Ended, Runner
    from chaos.stage import Stage

_QUIET_ROUNDS = 2


def main() -> int:
    """Let it happen, judge, report."""
    options = read_arguments(sys.argv[1:])
    rng = Random(options.seed)  # noqa: S311 - chance that can be repeated, nothing secret
    with open_stage(options, rng) as stage:
        # Only now: Airflow reads the environment when it is first imported.
        from chaos.runs import Runner

        runner = Runner(stage, in_memory=options.short)
        try:
            outcome = _unfold(options, stage, runner, rng)
        finally:
            runner.end_all()
        show(outcome)
    return 1 if outcome.losses else 0


def _unfold(options: Options, stage: Stage, runner: Runner, rng: Random) -> Outcome:
    began = time.monotonic()
    weather = Weather(stage.sandbox, rng)
    before = stage.sandbox.orders()
    seller, customers = Seller(stage, rng), Customers(stage.sandbox, rng)
    days = Days(stage, runner, seller, customers, Competition(stage, seller, rng), weather, rng)
    days.open()
    # Before the storms: they use up the SKU lines of an hour, after which a healthy item rightly waits too.
    losses = play(days, together=options.short)
    storms_end = time.monotonic() + options.minutes * 60
    while weather.total < options.faults and time.monotonic() < storms_end:
        days.pass_one()
        print(f"day {days.number}: {weather.total} faults, {len(runner.ended)} runs", flush=True)
    days.calm(_QUIET_ROUNDS)
    evidence = gather(stage, before, days.journal, days.seller.books, runner.interrupted)
    if options.keep:
        (stage.folder / "evidence.pickle").write_bytes(pickle.dumps(evidence))
    losses += judge(evidence)
    written = [message["message"] for folder in evidence.care_folders for message in folder["messages"]]
    texts = [*written, REFUND_MESSAGE]
    losses += find_leaks(stage.folder.glob("**/*.log"), evidence.orders, stage.sandbox.token, texts)
    losses += unfit_runs(runner.ended)
    return Outcome(
        options.seed,
        days.number,
        time.monotonic() - began,
        weather.injected(),
        runner.counts(),
        len(runner.visited),
        residue(evidence),
        moves(evidence),
        losses,
    )


def unfit_runs(ended: Sequence[Ended]) -> list[Loss]:
    """Give the runs that hung or broke, and the DAGs whose last run, which met no fault, did not succeed."""
    losses = [
        Loss("run did not end", run.log.name, f"{run.how} after {run.seconds:.0f} s")
        for run in ended
        if run.how in {"hung", "crashed"}
    ]
    last = {run.wanted.dag_id: run for run in ended}
    losses += [
        Loss("red in calm weather", dag_id, f"the last run {run.how}: {run.log.name}")
        for dag_id, run in last.items()
        if run.how != "success"
    ]
    return losses


if __name__ == "__main__":
    sys.exit(main())
