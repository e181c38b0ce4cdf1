"""`python -m sandbox.statements --out DIR`: settlement files that match a sandbox's orders.

One file per week and currency, as sellers export them from the Back Office; no endpoint serves them. With
`--planted` some of them contain differences and unusual styles, with `--plant-after-sales` differences of refunds and
returns; both are listed in `DIR.planted.json` beside the folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.command_line import read_arguments
from sandbox.orders.store import parse
from sandbox.remote import Sandbox
from sandbox.statements.known import known_here, known_there
from sandbox.statements.writing import write_statements
from sandbox.world import World


def main(arguments: Sequence[str]) -> None:
    """Write the statements of a running sandbox (`--url`), or of a seeded one that does not run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.statements", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--planted", action="store_true", help="plant differences and unusual styles")
    parser.add_argument("--plant-after-sales", action="store_true", help="plant differences of refunds and returns")
    parser.add_argument("--week-under-way", action="store_true", help="issue that week's statements, too, early")
    parser.add_argument("--url", help="base URL of a running sandbox")
    options, rest = parser.parse_known_args(arguments)
    config = read_arguments(rest)
    if options.url:
        sandbox = Sandbox(options.url)
        documents, now = sandbox.orders(), int(sandbox.call("GET", "health")["now"])
        known = known_there(sandbox)
    else:
        world = World(config)
        documents, now = [parse(record) for record in world.orders], world.clock.now()
        known = known_here(world.after_sales)
    paths = write_statements(
        documents,
        known,
        options.out,
        now,
        platform=config.platform,
        planted=options.planted,
        planted_after_sales=options.plant_after_sales,
        week_under_way=options.week_under_way,
    )
    print(f"{len(paths)} statements in {options.out}")


if __name__ == "__main__":
    main(sys.argv[1:])
