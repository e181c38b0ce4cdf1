"""Operators of ``backmarket_seller_files``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from backmarket.dag_defaults import tries_of_a_check
from backmarket.lineage import SELLER_TABLES
from backmarket.operators.base import BackMarketAnnouncementOperator, BackMarketOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BackMarketSellerFilesOperator(BackMarketOperator):
    """Fills the seller's tables from the files of the inbox that are new or have changed; files are only ever read.

    Each file is stored in a transaction of its own: all of its good rows, or nothing. Rows that cannot be used are
    written beside it, each with its reason. Running again changes nothing. Skips where no inbox is given and the
    default folder is not on this worker.

    :raises InboxError: where the inbox cannot be listed.
    """

    reads = ("inbox/seller",)
    writes = SELLER_TABLES

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the counts: files seen and loaded, and those whose names fit no table, as ``unmatched``; rows new,
        changed and gone, rows rejected; and the files refused, held, and not given by the storage."""
        from backmarket.hooks.inbox import SELLER, NoInboxError, list_inbox
        from backmarket.services.seller_files import SellerFileLoading, rules_of
        from backmarket.settings import SellerFilesSettings, key_of
        from backmarket.warehouse.connection import connect
        from backmarket.words import counted

        settings, now = SellerFilesSettings.load(self.account), datetime.now(UTC)
        try:
            files = list_inbox(settings.seller_inbox, SELLER, variable=key_of(self.account, "seller_inbox"))
        except NoInboxError as error:
            raise AirflowSkipException(str(error)) from error
        may_drop_all = bool((context["dag_run"].conf or {}).get("allow_mass_zero"))
        with connect(self.warehouse_conn_id) as connection:
            rules = rules_of(settings, may_drop_all=may_drop_all)
            loading = SellerFileLoading(connection, self.account, rules, self.log, context["run_id"], now=now)
            counts = loading.load(files)
        self.log.info(
            "%s in the inbox, %s new or changed; %s cannot be used.",
            counted(counts["files"], "file"),
            f"{counts['loaded']:,}" if counts["loaded"] else "none",
            counted(loading.rejected, "row"),
        )
        return {
            **counts,
            "rejected": loading.rejected,
            "refused_files": loading.refused,
            "held_files": loading.held,
            "files_left": loading.files_left,
        }


class BackMarketSellerFilesCheckOperator(BaseOperator):
    """Fails where a run could not use all that the seller's files say; everything else was done by then.

    :param counts: what :class:`BackMarketSellerFilesOperator` returned; None where it was skipped.
    :raises FilesLeftError: naming the files, why, and what to do.
    """

    template_fields = ("counts",)

    def __init__(self, *, counts: Any, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, **tries_of_a_check()})
        self.counts = counts

    def execute(self, context: Context) -> None:
        """Tell of the files."""
        from backmarket.services.seller_files import fail_where_files_are_left

        if not self.counts:
            raise AirflowSkipException("No files were looked at in this run.")
        fail_where_files_are_left(self.counts)


class BackMarketSellerFilesAnnouncementOperator(BackMarketAnnouncementOperator):
    """Updates the asset ``backmarket/seller_tables``, with the run's counts, where rows changed."""

    thing = "seller_tables"
    things = "rows of the seller tables"
    one = "row of the seller tables"
    summed = ("new", "changed", "gone", "rejected")
