"""Brings settlement statements from the inbox into the database."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from backmarket.hooks.settlement_inbox import InboxFile
    from backmarket.warehouse.connection import Connection

ENTITY = "settlement_file"


class BackMarketSettlementDownloadOperator(BackMarketOperator):
    """Loads every statement file of the inbox that is new or has changed; files are only ever read.

    Each file is stored in a transaction of its own. One that cannot be understood without guessing goes to
    quarantine with the reason, and the others go on. Running again changes nothing.

    :raises InboxError: where the inbox cannot be listed.
    """

    ui_color = "#d4edda"

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: files seen, loaded and unreadable, rows new, seconds taken; and the files that the storage
        did not give, as ``files_left``."""
        from backmarket.hooks.settlement_inbox import list_inbox
        from backmarket.settings import read_variable
        from backmarket.warehouse.connection import connect
        from backmarket.warehouse.settlements import known_files, release_files

        began = monotonic()
        counts: dict[str, Any] = {"files": 0, "loaded": 0, "new_lines": 0}
        unreadable: list[str] = []
        closed: list[str] = []
        files = list_inbox(read_variable("settlement_inbox"))
        with connect(self.warehouse_conn_id) as connection:
            known = known_files(connection, self.account)
            # A reference in the name comes first: the same content without one is then known already.
            for file in sorted(files, key=_has_no_reference):
                counts["files"] += 1
                before = known.get(file.path)
                if before and (before.size, before.modified_at) == (file.size, file.modified_at):
                    continue
                try:
                    new = self._load(connection, file, unreadable)
                except OSError as error:
                    closed.append(file.path)
                    self.log.warning("The storage did not give %s: %s", file.path, type(error).__name__)
                    continue
                counts["loaded"] += new is not None
                counts["new_lines"] += new or 0
            release_files(connection, self.account, [*unreadable, *closed])
        counts |= {"unreadable": len(unreadable), "seconds": round(monotonic() - began, 1)}
        self.log.info(
            "Statement files: %(files)d in the inbox, %(loaded)d new or changed, %(unreadable)d not understood; "
            "%(new_lines)d new rows in %(seconds).1f s.",
            counts,
        )
        return {**counts, "files_left": closed}

    def _load(self, connection: Connection, file: InboxFile, unreadable: list[str]) -> int | None:
        """Load one file; None where it went to quarantine."""
        from backmarket.api.models import Unreadable
        from backmarket.hooks.settlement_inbox import UNPACKING_ERRORS
        from backmarket.rules.settlement_blocks import StatementError
        from backmarket.warehouse import quarantine
        from backmarket.warehouse.settlements import StatementFile, load_file

        try:
            with file.content() as (content, sha256):
                statement = StatementFile(file.path, file.name, file.size, file.modified_at, sha256, content)
                new = load_file(connection, self.account, statement)
        except (StatementError, *UNPACKING_ERRORS) as error:
            reason = str(error) if isinstance(error, StatementError) else f"the archive cannot be unpacked: {error}"
            document = {"path": file.path, "size": file.size, "modified_at": file.modified_at.isoformat()}
            quarantine.keep(connection, self.account, ENTITY, {file.path: Unreadable(document, reason, file.path)})
            unreadable.append(file.path)
            self.log.warning("%s is in quarantine, nothing of it is loaded: %s.", file.path, reason)
            return None
        self.log.info("%s: %d new rows.", file.path, new)
        return new


def _has_no_reference(file: InboxFile) -> bool:
    from backmarket.rules.settlement_references import invoice_reference

    return not invoice_reference(file.name, "")
