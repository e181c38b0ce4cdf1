"""Ends a concern: fails, visibly and once, where single items of the run could not be dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow.sdk import Context


class ItemsLeftError(Exception):
    """Single items could not be dealt with; everything else of the run is done."""


class BackMarketItemsCheckOperator(BaseOperator):
    """Fails where the tasks before it name items that they had to leave, and says what to do about each kind.

    Where it should speak although one of those tasks failed as a whole, give it the trigger rule ``all_done``, and let
    that failure reach another last task.

    :param counts: what the tasks returned; None for one that was skipped or failed. Read from them: ``quarantined``
        (documents), ``unread`` (ids), ``lists_short`` (lists), ``newly_left_out`` (rows of the seller's tables),
        ``not_sent`` (changes), ``files_left`` (files) and ``markets_left`` (markets).
    :param documents: what was read, for the message.
    :raises ItemsLeftError: saying how many of what, the first by name, and where to look.
    """

    template_fields = ("counts",)
    ui_color = "#f8d7da"

    def __init__(self, *, counts: Any, documents: str = "orders", **kwargs: Any) -> None:
        super().__init__(retries=0, **kwargs)
        self.counts = counts
        self.documents = documents

    def execute(self, context: Context) -> None:
        """Pass where every item was dealt with; skip where no task looked at any."""
        done = [task for task in self.counts or () if task]
        if not done:
            raise AirflowSkipException("Nothing was done in this run.")
        if left := list(self._left(done)):
            raise ItemsLeftError(" ".join([*left, "Everything else of this run is done."]))

    def _left(self, done: list[Mapping[str, Any]]) -> Iterator[str]:
        from backmarket.services.item_failures import named

        if quarantined := _sum(done, "quarantined"):
            yield (
                f"{self.documents.capitalize()} could not be understood, {quarantined} times in this run: they are "
                "kept whole in backmarket.quarantine, with the reason, and are tried again whenever Back Market sends "
                "them. If the reason names a field that Back Market has changed, report it to the maintainers."
            )
        if unread := _names(done, "unread"):
            yield (
                f"Back Market could not serve {self.documents} {named(unread)}: they are asked for again. If that "
                "lasts, give these ids to your Back Market contact."
            )
        if lists := _names(done, "lists_short"):
            yield (
                f"The list of {named(lists)} did not come out whole: its last lines in the log say why. What was read "
                "is dealt with; the next run reads the list again."
            )
        if left_out := _sum(done, "newly_left_out"):
            yield (
                f"Rows of your tables cannot be used, {left_out} more than before: they are left out and kept in "
                "backmarket.quarantine, with the reason. Correct them; the next run reads them again."
            )
        if not_sent := _names(done, "not_sent"):
            yield (
                f"Changes could not be sent: {named(not_sent)}. backmarket.changes says why; they stay in the queue, "
                "and the next run goes on with them."
            )
        if files := _names(done, "files_left"):
            yield (
                f"The storage did not give the files {named(files)}. Check that its connection may read them, then "
                "clear the task that loads them."
            )
        if markets := _names(done, "markets_left"):
            yield (
                f"Back Market refused or failed on the markets {named(markets)}; their last lines in the log say why. "
                "Where the account may not sell in a market, take it out of backmarket_markets and out of your tables."
            )


def _sum(done: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(task.get(name) or 0 for task in done)


def _names(done: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    return list(dict.fromkeys(item for task in done for item in task.get(name) or ()))
