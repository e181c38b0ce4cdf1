"""What a person may answer about a change that waits for one."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time by the named tuple
from typing import Literal, NamedTuple

Decision = Literal["approved", "refused", "expired"]
"""What a person decided about a change, or that none did in time."""


class Answer(NamedTuple):
    """A decision about a change.

    :param by: who decided; None where that is not known, or nobody did.
    :param at: when.
    """

    decision: Decision
    by: str | None
    at: datetime

    def against(self, why: str) -> str | None:
        """Return why a change is not sent that this was decided about; None where it was approved.

        :param why: why a person had to see it.
        """
        if self.decision == "approved":
            return None
        if self.decision == "expired":
            return f"{why}: nobody approved it in time"
        # The page tells a person's no from what needs one by how this begins.
        return f"declined by {self.by or 'a person'} on {self.at:%Y-%m-%d}: {why}"
