"""`python -m sandbox.statements --out DIR`: settlement files that match a sandbox's orders.

One file per week and currency, as sellers export them from the Back Office; no endpoint serves them. With
`--planted` some of them contain differences and unusual styles, listed in `DIR.planted.json` beside the folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.command_line import read_arguments
from sandbox.orders.store import parse
from sandbox.remote import Sandbox
from sandbox.statements.writing import write_statements
from sandbox.world import World


def main(arguments: Sequence[str]) -> None:
    """Write the statements of a running sandbox (`--url`), or of a seeded one that does not run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.statements", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--planted", action="store_true", help="plant differences and unusual styles")
    parser.add_argument("--url", help="base URL of a running sandbox")
    options, rest = parser.parse_known_args(arguments)
    config = read_arguments(rest)
    if options.url:
        sandbox = Sandbox(options.url)
        documents, now = sandbox.orders(), int(sandbox.call("GET", "health")["now"])
    else:
        world = World(config)
        documents, now = [parse(record) for record in world.orders], world.clock.now()
    paths = write_statements(documents, options.out, now, platform=config.platform, planted=options.planted)
    print(f"{len(paths)} statements in {options.out}")


if __name__ == "__main__":
    main(sys.argv[1:])
