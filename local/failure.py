"""How this package tells a person that it cannot go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LocalError(Exception):
    """What went wrong and what to do about it, in one line."""


def run_command(command: Callable[[], int]) -> int:
    """Run a command of `make`; such an error becomes one line on stderr, an interrupt a silent exit code.

    :returns: the exit code for the shell.
    """
    try:
        return command()
    except LocalError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
