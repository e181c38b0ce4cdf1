"""What one chaos is asked to be."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Options:
    """The options of `python -m chaos`.

    :param seed: decides all that is chance here; how processes interleave remains the machine's choice.
    :param faults: go on until so many faults were injected.
    :param minutes: but begin no new day after so many minutes of storms.
    :param listings: how many the account has.
    :param orders: how many it had before.
    :param short: play all scenes of sick items in one round, and run DAGs without Airflow's own tables.
    :param keep: leave the logs where they are.
    """

    seed: int = 1
    faults: int = 10_000
    minutes: float = 40.0
    listings: int = 40
    orders: int = 150
    short: bool = False
    keep: bool = False


def read_arguments(arguments: Sequence[str]) -> Options:
    """Turn command line arguments into options."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="python -m chaos", description="Faults of every kind against all DAGs; exits 0 only with zero losses."
    )
    parser.add_argument("--seed", type=int, default=defaults.seed, help="which chaos")
    parser.add_argument("--faults", type=int, default=defaults.faults, help="stop after so many faults")
    parser.add_argument("--minutes", type=float, default=defaults.minutes, help="storms blow no longer")
    parser.add_argument("--listings", type=int, default=defaults.listings)
    parser.add_argument("--orders", type=int, default=defaults.orders)
    parser.add_argument("--short", action="store_true", help="the form of two minutes")
    parser.add_argument("--keep", action="store_true", help="leave the logs of all runs where they are")
    return Options(**vars(parser.parse_args(arguments)))
