"""Tells how far a long load is, every ten seconds: in the log, and for the page in ``backmarket.progress``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self

from backmarket.rules.progress import progress_in_words
from backmarket.warehouse.progress import clear_progress, write_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection

_EVERY_SECONDS = 10.0


class Advance(Protocol):
    """Takes note of how much is done, and of how much there is in all, as far as is known."""

    def __call__(self, done: int, total: int | None, /) -> object: ...


def unseen(done: int, total: int | None, /) -> None:
    """Take no note: for what is short, or what nobody watches."""


@dataclass
class Progress:
    """The progress of one load; ``with`` it, and what the page shows ends with it.

    :param open_database: opens a connection of its own, as the load's is within a transaction; asked for only where
        the load takes longer than ten seconds.
    :param task: the task that loads.
    :param one: what is counted, such as ``order``.
    :param part: what these belong to, such as a market; empty for the whole account.
    :param clock: seconds that only ever grow.
    """

    log: Log
    open_database: Callable[[], AbstractContextManager[Connection]]
    account: str
    task: str
    run_id: str
    one: str
    part: str = ""
    clock: Callable[[], float] = monotonic
    _database: Connection | None = None
    _is_shown: bool = True
    _closing: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._due = self._began + _EVERY_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            if self._database is not None:
                self._show(lambda database: clear_progress(database, self.account, self.task, self.part))

    def at(self, done: int, total: int | None, /) -> None:
        """Say how much is done, if the last time is ten seconds ago.

        :param total: None where it is not known.
        """
        now = self.clock()
        if now < self._due:
            return
        self._due = now + _EVERY_SECONDS
        seconds = now - self._began
        self.log.info("Loading: %s.", progress_in_words(done, total, seconds, self.one, self.part))
        self._show(
            lambda database: write_progress(
                database, self.account, self.task, self.part, self.one, done, total, seconds, self.run_id
            )
        )

    def _show(self, write: Callable[[Connection], None]) -> None:
        if not self._is_shown:
            return
        try:
            if self._database is None:
                self._database = self._closing.enter_context(self.open_database())
            write(self._database)
        except Exception as error:  # noqa: BLE001 - it is there to be looked at: no load fails for it
            self._is_shown = False
            self.log.warning("The page cannot show how far this is: %s.", type(error).__name__)
