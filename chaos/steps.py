"""Kills a process between two steps: right before a statement or a request, that is right after the one before it.

A step is known by what it is (the statement's beginning, the request's method and path without ids), so each pair of
neighbouring steps can be visited once, in runs of any length. Neighbours are steps of one thread; all threads die.
"""

from __future__ import annotations

import os
import re
import signal
from threading import local
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
START = "start"


class KillPoint:
    """Kills this process at the first pair of steps that was not visited yet.

    :param visited: pairs at which an earlier run was killed.
    :param note: where the pair is written to before the end.
    """

    def __init__(self, visited: frozenset[str], note: Path) -> None:
        self._visited, self._note = visited, note
        self._thread = local()

    def reach(self, step: str) -> None:
        """Come to a step, and not get beyond where nobody was killed before it."""
        pair = f"{getattr(self._thread, 'before', START)} | {step}"
        if pair not in self._visited:
            self._note.write_text(pair)
            os.kill(os.getpid(), signal.SIGKILL)
        self._thread.before = step

    def before(self, function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """Wrap a function into a step that `name` names from its arguments."""

        def step(*args: Any, **kwargs: Any) -> Any:
            self.reach(name(*args, **kwargs))
            return function(*args, **kwargs)

        return step


def arm(point: KillPoint) -> None:
    """Make every statement to the operational database, every commit and every request a step."""
    import psycopg

    from backmarket.api.transport import Transport

    psycopg.Connection.execute = point.before(psycopg.Connection.execute, _statement)  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = point.before(psycopg.Transaction.__exit__, _commit)  # type: ignore[method-assign]
    Transport._exchange = point.before(Transport._exchange, _request)  # type: ignore[method-assign]


def _statement(_connection: object, query: object, *_: object, **__: object) -> str:
    text = query.decode() if isinstance(query, bytes) else str(query)
    return " ".join(_COMMENT.sub("", text).split())[:50]


def _commit(*_: object) -> str:
    return "commit"


def _request(_transport: object, request: Any) -> str:
    return f"{request.method} {_IDS.sub('ID', request.url.path)}"
