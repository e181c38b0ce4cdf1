"""Lock files: one process at a time. The operating system releases them even when the holder is killed."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.failure import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def held(lock_file: Path, taken: str) -> Iterator[None]:
    """Hold the lock for the length of the block.

    :param lock_file: made if need be; while held it contains the holder's process id.
    :param taken: what to tell a person whose command finds the lock held; `{pid}` becomes the holder's id.
    :raises LocalError: if another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise LocalError(taken.format(pid=handle.read().strip() or "unknown")) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def is_held(lock_file: Path) -> bool:
    """Tell whether a process holds the lock."""
    if not lock_file.exists():
        return False
    with lock_file.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
