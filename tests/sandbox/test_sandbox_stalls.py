"""A sandbox that a busy machine held up says so."""

from __future__ import annotations

import time

from sandbox.stalls import BEAT_SECONDS, STALL_SECONDS, Stalls


def test_a_beat_that_comes_late_was_held_up() -> None:
    """So long as the window of a limit lasts; an ordinary beat is none."""
    stalls = Stalls()
    time.sleep(BEAT_SECONDS)
    assert not stalls.is_recent(10)
    time.sleep(BEAT_SECONDS + STALL_SECONDS + 0.05)
    assert stalls.is_recent(10)
    assert stalls.is_recent(10)
    assert not stalls.is_recent(0)
