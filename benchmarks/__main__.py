"""All benchmarks, one after the other: orders beside the peer, changes of orders, statements, files of the seller."""

from __future__ import annotations

import argparse
import sys

from benchmarks import order_changes, orders, seller_files, settlements

SMALL_ORDERS, SMALL_ROWS = 5_000, 50_000


def main() -> int:
    """Run them; answer whether all bounds were kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="two minutes instead of half an hour")
    if parser.parse_args().small:
        orders.main(SMALL_ORDERS)
        return seller_files.main(SMALL_ROWS)
    orders.main()
    return max(order_changes.main(), seller_files.main(), settlements.main())


if __name__ == "__main__":
    sys.exit(main())
