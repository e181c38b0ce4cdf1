"""All benchmarks, one after the other, as one table: what was measured, beside what, and what is promised."""

from __future__ import annotations

import argparse
import sys

from benchmarks import dag_files, order_changes, orders, quantities, scale, seller_files, settlements
from benchmarks.figures import show

SMALL_ORDERS, SMALL_ROWS, SMALL_CHANGES = 5_000, 50_000, 50


def main() -> int:
    """Run them; answer whether all bounds were kept. Small ones are to run at all: no busy machine fails them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="two minutes instead of half an hour; no bound is held")
    small = parser.parse_args().small
    if small:
        figures = [
            *orders.figures(SMALL_ORDERS),
            *order_changes.figures(SMALL_CHANGES),
            *quantities.figures(small=True),
            *seller_files.figures(SMALL_ROWS),
            *dag_files.figures(),
        ]
    else:
        figures = [
            *orders.figures(),
            *order_changes.figures(),
            *quantities.figures(),
            *settlements.figures(),
            *seller_files.figures(),
            *scale.figures(),
            *dag_files.figures(),
        ]
    return 0 if show(figures) or small else 1


if __name__ == "__main__":
    sys.exit(main())
