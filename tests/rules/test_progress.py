"""How far a long load is, and how long it will take."""

from __future__ import annotations

import pytest

from backmarket.rules.progress import progress_in_words, seconds_left


@pytest.mark.parametrize(
    ("done", "total", "seconds", "left"),
    [
        (25, 100, 10.0, 30.0),
        (100, 100, 10.0, 0.0),
        (120, 100, 10.0, 0.0),
        (0, 100, 10.0, None),
        (50, None, 10.0, None),
        (0, 0, 10.0, None),
    ],
)
def test_the_time_left_is_that_of_the_speed_so_far(
    done: int, total: int | None, seconds: float, left: float | None
) -> None:
    assert seconds_left(done, total, seconds) == left


@pytest.mark.parametrize(
    ("done", "total", "part", "words"),
    [
        (12_400, 100_000, "", "12,400 of 100,000 orders, about 3 minutes left"),
        (12_400, None, "", "12,400 orders so far"),
        (1, None, "fr-fr", "1 order of fr-fr so far"),
        (0, 1, "", "0 of 1 order"),
        (10, 10, "de-de", "10 of 10 orders of de-de, almost done"),
        # The list has grown since its length was told.
        (1_020, 1_000, "", "1,020 of 1,020 orders, almost done"),
    ],
)
def test_the_words(done: int, total: int | None, part: str, words: str) -> None:
    assert progress_in_words(done, total, 25.0, "order", part) == words
