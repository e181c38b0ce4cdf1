"""Says how far a long load is, and about how long it will still take."""

from __future__ import annotations

from backmarket.words import about, counted


def seconds_left(done: int, total: int | None, seconds: float) -> float | None:
    """Estimate the time left, at the speed so far; None before anything is done, or where the end is not known.

    :param seconds: since the load began.
    """
    if not total or done <= 0:
        return None
    return seconds * max(total - done, 0) / done


def progress_in_words(done: int, total: int | None, seconds: float, one: str, part: str = "") -> str:
    """Write ``12,400 of 100,000 orders, about 3 minutes left``.

    :param total: as many as there are in all, by the newest count; None where that is not known.
    :param one: what is counted.
    :param part: what these belong to, such as a market; empty for the whole account.
    """
    of_part = f" of {part}" if part else ""
    if not total:
        return f"{counted(done, one)}{of_part} so far"
    told = f"{done:,} of {counted(max(total, done), one)}{of_part}"
    left = seconds_left(done, total, seconds)
    return told if left is None else f"{told}, {about(left)} left" if left else f"{told}, almost done"
