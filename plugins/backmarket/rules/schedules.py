"""When the DAGs of several accounts run: each at a second of its own, so that they do not all start at once."""

from __future__ import annotations

import hashlib
import re

_EVERY = re.compile(r"\*/(\d{1,2})")
_AT = re.compile(r"\d{1,2}")


def spread(cron: str, account: str) -> str:
    """Return a cron expression moved by a while that only the account's name decides.

    What runs every n minutes still does, from another minute on; what runs at one minute of an hour runs at another
    minute of the same hour; of anything else the minutes stay. The sixth field is the second.

    :param cron: five fields; six say their second already and stay as they are.
    """
    fields = cron.split()
    if len(fields) != 5:
        return cron
    minute, second = divmod(int.from_bytes(hashlib.sha256(account.encode()).digest()[:4], "big") % 3600, 60)
    if every := _EVERY.fullmatch(fields[0]):
        step = int(every[1])
        # Only what divides the hour comes at equal distances from any minute on.
        fields[0] = f"{minute % step}-59/{step}" if step and 60 % step == 0 else fields[0]
    elif _AT.fullmatch(fields[0]):
        fields[0] = str((int(fields[0]) + minute) % 60)
    return " ".join([*fields, str(second)])
