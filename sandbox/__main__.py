"""`python -m sandbox`: run a local Back Market until Ctrl-C."""

import sys

from sandbox.command_line import read_arguments
from sandbox.server import make_server


def main() -> None:
    """Run the sandbox that the command line describes."""
    config = read_arguments(sys.argv[1:])
    print(f"sandbox on http://{config.host}:{config.port} ({config.orders} orders, {config.listings} listings)")
    make_server(config).run()


if __name__ == "__main__":
    main()
