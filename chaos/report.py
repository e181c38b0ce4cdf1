"""What chaos prints: faults, runs, residue and losses, and the seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from chaos.judge import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaos.evidence import Loss
    from chaos.residue import Residue

_MOST_SHOWN = 25


@dataclass(frozen=True)
class Outcome:
    """What a chaos came to."""

    seed: int
    days: int
    seconds: float
    injected: Counter[str]
    runs: dict[str, Counter[str]]
    places: int
    residue: Residue
    moves: int
    losses: list[Loss]


def show(outcome: Outcome) -> None:
    """Print it."""
    console = Console(width=120, highlight=False)
    console.print(_faults(outcome.injected))
    console.print(_runs(outcome.runs))
    console.print(_losses(outcome.losses))
    for kind in KINDS:
        _examples(console, kind, [loss for loss in outcome.losses if loss.kind == kind])
    residue = outcome.residue
    console.print(
        f"Residue: {residue.units.total()} units were sold between the reading of a listing and the write that "
        f"followed; {residue.hidden.total()} were hidden when their listing was first read; "
        f"{residue.unanswered.total()} were of raises without an answer, sold out before the listing was read back. "
        f"No rule excludes that, safety_qty covers it. Of all units, {residue.oversold.total()} were oversold."
    )
    console.print(f"{outcome.moves} prices were moved for the BackBox.")
    console.print(f"Killed at {outcome.places} different places between two steps.")
    minutes, seconds = divmod(round(outcome.seconds), 60)
    console.print(f"{outcome.days} days in {minutes} min {seconds} s; the same again: --seed {outcome.seed}")
    total = sum(outcome.injected.values())
    console.print(f"[bold]{total} faults injected, {len(outcome.losses)} losses.[/bold]")


def _faults(injected: Counter[str]) -> Table:
    table = Table("Fault injected", "Times", title="Faults")
    for kind, times in sorted(injected.items(), key=lambda item: -item[1]):
        table.add_row(kind, str(times))
    return table


def _runs(runs: dict[str, Counter[str]]) -> Table:
    hows = sorted({how for counts in runs.values() for how in counts})
    table = Table("DAG", *hows, title="Runs")
    for dag_id, counts in runs.items():
        table.add_row(dag_id, *(str(counts[how]) for how in hows))
    return table


def _losses(losses: Iterable[Loss]) -> Table:
    counts = Counter(loss.kind for loss in losses)
    table = Table("Loss", "Times", title="Losses")
    for kind in KINDS:
        table.add_row(kind, str(counts[kind]), style="bold red" if counts[kind] else "")
    return table


def _examples(console: Console, kind: str, losses: list[Loss]) -> None:
    """Print each subject once, with its first loss."""
    if losses:
        console.print(f"[bold red]{kind}[/bold red]")
    by_subject: dict[str, list[Loss]] = {}
    for loss in losses:
        by_subject.setdefault(loss.subject, []).append(loss)
    for subject, found in list(by_subject.items())[:_MOST_SHOWN]:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        console.print(f"  {subject}: {found[0].what}{more}", markup=False)
    if len(by_subject) > _MOST_SHOWN:
        console.print(f"  and {len(by_subject) - _MOST_SHOWN} others")
