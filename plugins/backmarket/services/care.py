"""Reads after-sales conversations (care folders): those that changed, and once a day all open ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from backmarket.api.errors import BackMarketError, NotFoundError, UnreadableDocumentError
from backmarket.rules.care import OPEN
from backmarket.rules.order_window import incremental_window, next_watermark
from backmarket.services.after_sales import PartReading, key_of
from backmarket.services.item_failures import ItemFailures, named
from backmarket.services.side_by_side import work_side_by_side
from backmarket.warehouse import after_sales, care, sync_state
from backmarket.warehouse.care import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from backmarket.api.client import BackMarketClient
    from backmarket.api.models.care import CareFolder, CareFolderPage
    from backmarket.api.moving_list import MovingList
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection

_CONCERN = "care_folders"
_OPEN_FOLDERS = "open_care_folders"
_OPEN_FOLDERS_EVERY = timedelta(days=1)


@dataclass
class CareReading:
    """The folders that one task reads.

    :param listed: what lists say of folders, by id.
    """

    client: BackMarketClient
    connection: Connection
    account: str
    log: Log
    listed: dict[int, Known] = field(default_factory=dict)
    reading: PartReading = field(init=False)
    _failures: ItemFailures = field(default_factory=ItemFailures)
    _read: dict[int, CareFolder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reading = PartReading(self.connection, self.account, "care", "care folders", care.ENTITY, self.log)

    def download(self, *, now: datetime, lookback: timedelta) -> dict[str, Any]:
        """Read and store what changed since the last time, and the open folders where they are due.

        The watermark moves where all of that was read, or failed one by one: those are asked for by id from then on.

        :return: the folders new, changed, unchanged, gone and quarantined, ``unread`` ids, and requests made.
        :raises BackMarketError: where the list could not be read whole, or what all folders would fail with; what was
            read is stored.
        """
        reading = self.reading
        if why := reading.why_it_waits(now):
            self.log.info(why)
            return {"unavailable": 1, "requests": self.client.requests_made}
        state = sync_state.read(self.connection, self.account, _CONCERN)
        window = incremental_window(state.watermark, now=now, initial_lookback=lookback)
        self._list(self.client.moving_care_folders(modified_since=window.modified_since))
        if not reading.is_served:
            return {"unavailable": 1, "requests": self.client.requests_made}
        changed = self._changed()
        open_are_due = self._open_are_due(now)
        if open_are_due and state.watermark is not None:
            self._list(self.client.moving_care_folders(state=OPEN))
            changed = self._changed() | (set(care.open_folders(self.connection, self.account)) - self.listed.keys())
        unread = care.unread_folders(self.connection, self.account)
        self._read_each(sorted(changed.difference(unread), reverse=True))
        is_over = reading.stopped_by is None
        if is_over:
            # However many of these are sick still, they hold up no other, nor the watermark; those that an outage kept
            # from being asked for begin the next time.
            self._read_each(unread)
        failed = {int(name): reason for name, reason in self._failures.failed.items()}
        care.keep_unread(self.connection, self.account, failed)
        reading.counts["unchanged"] += len(self.listed.keys() - changed)
        if reading.is_complete and is_over and reading.started_at:
            newest = max(filter(None, (known.date_modification for known in self.listed.values())), default=None)
            watermark = next_watermark(newest, reading.started_at, window.modified_since)
            with self.connection.transaction():
                sync_state.record_success(
                    self.connection, self.account, _CONCERN, dict(reading.counts), watermark=watermark
                )
                if open_are_due:
                    sync_state.record_success(self.connection, self.account, _OPEN_FOLDERS, {})
                after_sales.mark_served(self.connection, self.account, "care", window.modified_since)
        for name, reason in self._failures.failed.items():
            self.log.warning("Care folder %s could not be read and is asked for again: %s", name, reason)
        return reading.finish(unread=list(self._failures.failed), requests=self.client.requests_made)

    def _list(self, moving: MovingList[CareFolderPage]) -> None:
        for page in self.reading.pages(moving):
            for folder in page.folders:
                known = Known(folder.state, folder.date_modification, folder.date_last_message)
                self.listed[folder.care_folder_id] = known

    def _changed(self) -> set[int]:
        """Return the folders that are not stored as lists show them, and those of which lists show no time."""
        stored = care.known_folders(self.connection, self.account, self.listed)
        return {
            folder_id
            for folder_id, listed in self.listed.items()
            if listed.date_modification is None or stored.get(folder_id) != listed
        }

    def _open_are_due(self, now: datetime) -> bool:
        last = sync_state.read(self.connection, self.account, _OPEN_FOLDERS).succeeded_at
        return last is None or now >= last + _OPEN_FOLDERS_EVERY

    def _read_each(self, folder_ids: Iterable[int]) -> None:
        """Read folders by id and store each; one that Back Market fails on costs no other."""
        gone: list[int] = []
        answered: list[int] = []

        def tell(folder_id: int, outcome: Callable[[], None]) -> None:
            try:
                outcome()
            except NotFoundError:
                gone.append(folder_id)
            except UnreadableDocumentError as error:
                self._set_aside(folder_id, error)
            except BackMarketError as error:
                self._failures.note(str(folder_id), error)
                return
            else:
                self._store(self._read.pop(folder_id))
            answered.append(folder_id)
            self._failures.passed(str(folder_id))

        rows = ([folder_id] for folder_id in folder_ids)
        try:
            work_side_by_side(rows, self._get, tell, self._failures, at_once=self.client.config.concurrency)
        except BackMarketError as error:
            self.reading.stopped_by = error
        care.forget_unread(self.connection, self.account, answered)
        if gone:
            care.mark_gone(self.connection, self.account, gone)
            self.reading.counts["gone"] += len(gone)
            self.log.warning("Back Market no longer serves these care folders: %s.", named(gone))

    def _get(self, folder_id: int) -> None:
        self._read[folder_id] = self.client.get_care_folder(folder_id)

    def _store(self, folder: CareFolder) -> None:
        read_at = folder.served_at or self.reading.started_at
        assert read_at is not None  # noqa: S101 - a folder is read after a list
        set_aside = {f"{folder.care_folder_id}/{key_of(each)}": each for each in folder.unreadable_messages}
        outcome = care.store_folder(self.connection, self.account, folder, read_at, kept=set_aside.keys())
        self.reading.note(outcome, folder.all_odd_fields, folder.care_folder_id)
        for key, message in set_aside.items():
            self.reading.set_aside(key, message)

    def _set_aside(self, folder_id: int, error: UnreadableDocumentError) -> None:
        from backmarket.api.models import Unreadable

        self.reading.set_aside(str(folder_id), Unreadable(error.document, error.detail, str(folder_id)))
