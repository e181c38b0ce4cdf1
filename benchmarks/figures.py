"""What benchmarks print: each piece of work with its bound, and how it stands to others."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable


class Figure(NamedTuple):
    """One measured piece of work.

    :param ours: what it took, with its unit.
    :param beside: what else was measured in the same run, such as the peer or the lower bound; empty for none.
    :param bound: what is promised; empty for nothing.
    :param kept: whether the promise was kept; None where the size measured here cannot tell.
    :param why: what keeps it from being kept, where that is known; empty for a promise that is ours to keep.
    """

    work: str
    ours: str
    beside: str = ""
    bound: str = ""
    kept: bool | None = None
    why: str = ""


WIDTH = 130
_WORDS = {True: "kept", False: "MISSED", None: ""}


def show(figures: Iterable[Figure]) -> bool:
    """Print figures as one table, and why bounds were missed; answer whether all were kept whose keeping is ours."""
    console = Console(width=WIDTH)
    table = Table("work", "ours", "beside", "bound", "", title=f"{os.cpu_count()} cores, {platform.python_version()}")
    every = list(figures)
    for figure in every:
        table.add_row(figure.work, figure.ours, figure.beside, figure.bound, _WORDS[figure.kept])
    console.print(table)
    missed = [figure for figure in every if figure.kept is False]
    for figure in missed:
        console.print(f"{figure.work}: {figure.why or 'no reason is known'}", soft_wrap=True, highlight=False)
    return all(figure.why for figure in missed)
