"""An operator for users' own DAGs: writes to a customer in a care folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backmarket.operators.base import BackMarketOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context


class BackMarketCareMessageOperator(BackMarketOperator):
    """Writes a message in a care folder, once a run; a closed folder opens again.

    Where the answer is lost, the folder is looked at before the message is written again. The text may be personal: it
    is no template field, as Airflow shows and keeps those, and stands in no log or XCom.

    :param care_folder_id: the folder.
    :param message: the text, or what makes it of the task's context.
    :param attachments: files or object-storage URLs, at most ten of 3 MB each.
    :raises ValueError: where there is no text, or the files are too many or too large; nothing is sent.
    :raises BackMarketError: where it could not be written, or it is not known whether it was.
    """

    reads = ("ws/sav",)
    writes = ("ws/sav",)

    template_fields = (*BackMarketOperator.template_fields, "care_folder_id", "attachments")

    def __init__(
        self,
        *,
        care_folder_id: int | str,
        message: str | Callable[[Context], str],
        attachments: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.care_folder_id = care_folder_id
        self.message = message
        self.attachments = attachments

    def execute(self, context: Context) -> int | None:
        """Return the message's id; None where Back Market does not say."""
        from backmarket.hooks.attachments import read_attachment
        from backmarket.services.care_message import send_message

        text = self.message(context) if callable(self.message) else self.message
        if not text.strip():
            raise ValueError("The message has no text: nothing was sent.")
        run = context["dag_run"]
        # A run that is cleared starts anew; since when it is due does not change.
        began = min(run.run_after, run.start_date or datetime.now(UTC))
        files = [read_attachment(url) for url in self.attachments]
        with self.hook as client:
            return send_message(client, int(self.care_folder_id), text, files, since=began, log=self.log)
