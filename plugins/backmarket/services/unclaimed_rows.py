"""Names rows of the seller's tables that no account reads, because their account is misspelt."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from backmarket.rules.given_texts import shortened
from backmarket.warehouse import accounts, feeds

if TYPE_CHECKING:
    from backmarket.services.log import Log
    from backmarket.warehouse.connection import Connection


def report_unclaimed_rows(connection: Connection, account: str, log: Log) -> int:
    """Store and log the rows that are most likely meant for this account, and return how many they are.

    Each is told by one account alone: the one with the most similar name, or else the first by name.
    """
    known = accounts.names(connection)
    found = []
    for table, given, rows in feeds.rows_by_account(connection):
        # One that differs only by case or blanks around it is the nearest, too.
        nearest = get_close_matches(given.strip().lower(), known, n=1, cutoff=0.01) or known[:1]
        if given not in known and nearest == [account]:
            found.append((table, given, rows))
            log.warning(
                "%s has %s for account '%s', which nobody runs here; the nearest is '%s'. Nothing reads them: correct "
                "column account. Known: %s.",
                table,
                "1 row" if rows == 1 else f"{rows:,} rows",
                shortened(given),
                account,
                ", ".join(known[:20]),
            )
    feeds.store_unclaimed(connection, account, found)
    return sum(rows for _, _, rows in found)
