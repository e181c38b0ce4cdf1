"""A list that moves is read without losing a row, within a bound, and at little cost: simulated many times over.

``python -m tests.simulate_lists 10000`` repeats this with 10,000 readings and prints the figures.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api import page_walk
from backmarket.api.moving_list import MovingList
from backmarket.api.page_walk import KnownOrder, Walk
from backmarket.api.paging import RawPage, Window
from tests.simulate_lists import MOMENT, Outcome, Rates, Shifting, evenly, mean_passes, read_one, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Sequence


def _is_right(outcomes: list[Outcome]) -> bool:
    """Tell whether nothing was lost, every reading was complete, and knows so."""
    return not any(outcome.lost for outcome in outcomes) and all(outcome.is_proven for outcome in outcomes)


def test_nothing_is_lost_and_every_reading_ends() -> None:
    """600 lists of 1 to 200 pages, at rates up to one arrival, entry, jump and departure a page."""
    assert _is_right(simulate(range(600)))


def test_the_busiest_lists_are_read_whole() -> None:
    """One movement of each kind for each page read."""
    outcomes = simulate(range(100), evenly(4.0))
    assert _is_right(outcomes)
    assert max(outcome.requests for outcome in outcomes) < 900


@pytest.mark.parametrize("kind", ["arrive", "enter", "jump", "leave"])
def test_one_kind_of_movement_alone(kind: str) -> None:
    """Each at its highest rate, where no other makes up for its shift."""
    rates = Rates(**{**dict.fromkeys(("arrive", "enter", "jump", "leave"), 0.0), kind: 1.0})
    assert _is_right(simulate(range(60), lambda _: rates))


@pytest.mark.parametrize("movements", [0.0, 0.1])
def test_a_quiet_list_costs_less_than_one_and_a_half_passes(movements: float) -> None:
    """On average, whatever its length."""
    outcomes = simulate(range(200), evenly(movements))
    assert _is_right(outcomes)
    assert mean_passes(outcomes) < 1.5


def test_what_is_forgotten_of_a_long_list_costs_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the rows of eight pages at either end are remembered, of lists of up to 200."""
    monkeypatch.setattr(page_walk, "REMEMBERED", 400)
    assert _is_right(simulate(range(150)))
    assert _is_right(simulate(range(50), evenly(4.0)))


def test_the_length_of_a_list_takes_no_memory() -> None:
    """A list of 60,000 rows is read with about as much as one of 20,000."""

    def peak(length: int) -> int:
        rng = Random(1)  # noqa: S311 - chance that can be repeated, not secrets
        shifting = Shifting(rng, length, evenly(0.0)(rng))
        tracemalloc.start()
        for _ in MovingList(shifting, lambda page: page.window, key=int).pages():
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(60_000) < 1.3 * peak(20_000)


def test_a_list_of_one_page_is_one_request() -> None:
    """Its rows were all there at one moment: there is nothing to look at twice."""
    for length in (0, 1, 49, 50):
        assert _read(range(length)) == Outcome(0, 1, 1.0, is_complete=True, is_proven=True)


def test_pages_whose_size_cannot_be_chosen() -> None:
    """Then the list is read again and again, until that brings nothing: complete, at a higher price."""
    outcomes = simulate(range(40), evenly(0.4), keeps_sizes=False)
    outcomes += simulate(range(40), evenly(0.4), size_limit=10, keeps_sizes=False)
    assert [outcome for outcome in outcomes if outcome.lost or not outcome.is_complete] == []
    assert mean_passes(outcomes) < 5


def test_pages_of_fewer_rows_than_asked_for() -> None:
    """A platform's own limit is kept to, and pages overlap all the same."""
    assert _is_right(simulate(range(60), evenly(0.4), size_limit=30))


@pytest.mark.parametrize("twin", [45, 70, 400])
def test_a_row_that_is_listed_twice_does_no_harm(twin: int) -> None:
    """On one page or on two: the reading ends as any other."""
    shifting = Shifting(_rng(), 500, Rates(0, 0, 0, 0))
    shifting.rows[twin] = 40
    outcome = read_one(shifting)
    assert (outcome.lost, outcome.is_proven) == (0, True)
    assert outcome.requests < 20


class _Unending(Shifting):
    """A list whose every page says that another follows."""

    def next(self) -> tuple[Window, Any]:
        """Serve the same rows for ever."""
        self.served += 1
        window = self.pending.pop()
        return window, RawPage(window, 60, False, MOMENT, MOMENT, list(range(window.size)))


def test_a_list_without_an_end_is_given_up() -> None:
    """The number of requests is bounded whatever is answered."""
    outcome = read_one(_Unending(_rng(), 60, Rates(0, 0, 0, 0)))
    assert not outcome.is_complete
    assert outcome.requests < 60


class _Short(Shifting):
    """A list whose pages lack their last row, the first so many times."""

    spoilt = 1

    def next(self) -> tuple[Window, Any]:
        """Serve a page, without its last row."""
        window, page = super().next()
        if not isinstance(page, RawPage) or self.served > self.spoilt:
            return window, page
        return window, RawPage(window, page.count, page.is_last, MOMENT, MOMENT, page.documents[:-1])


@pytest.mark.parametrize("length", [40, 50, 70, 1000])
@pytest.mark.parametrize("spoilt", [1, 2, 3])
def test_a_page_that_lacks_rows_is_read_again(length: int, spoilt: int) -> None:
    """A row missing at the end of a page is no row that left."""
    shifting = _Short(_rng(), length, Rates(0, 0, 0, 0))
    shifting.spoilt = spoilt
    outcome = read_one(shifting)
    assert (outcome.lost, outcome.is_complete) == (0, True)


def test_pages_that_lack_rows_for_ever() -> None:
    """The list does not count as complete, and is given up soon."""
    shifting = _Short(_rng(), 1000, Rates(0, 0, 0, 0))
    shifting.spoilt = 10**6
    outcome = read_one(shifting)
    assert not outcome.is_complete
    assert outcome.requests < 120


# Each rule of the reading is taken away in turn: rows must get lost, readings not end, or requests be wasted.


def _busy_lists() -> bool:
    return _is_right(simulate(range(80), evenly(4.0), most_pages=100))


def _rows_that_jump_to_the_end() -> bool:
    return _is_right(simulate(range(400), lambda _: Rates(0, 0, 1, 1), most_pages=10, newest_last=True))


def _quiet_lists() -> bool:
    return mean_passes(simulate(range(60), evenly(0.1), most_pages=100)) < 1.5


def _without_a_look_at_the_front(reading: MovingList[RawPage], first: RawPage) -> Generator[RawPage, None, bool]:
    walk = Walk(reading._size, ahead=reading._requests.most)
    walk.join(Window(1, reading._size), reading._keys(first))
    has_arrived = yield from reading._follow(walk, lambda page: page.is_last)
    reading.is_complete = reading.is_proven = has_arrived
    return True


def _join_whatever_comes(walk: Walk, window: Window, keys: Sequence[Hashable]) -> bool:
    walk.skip()
    return _JOIN(walk, window, keys)


def _join_by_any_known_row(walk: Walk, window: Window, keys: Sequence[Hashable]) -> bool:
    if any(key in walk._chain for key in keys):
        walk.skip()
    return _JOIN(walk, window, keys)


def _begin_where_the_last_ended(start: int, size: int) -> Window:
    return _REACH(start + page_walk.OVERLAP, size)


def _one_page_too_far(start: int, size: int) -> Window:
    window = _REACH(start, size)
    return Window(window.number + (start > 0), window.size)


def _stay(walk: Walk) -> None:
    walk.waiting.clear()
    walk._planned = walk._end + walk._overlap


_JOIN, _REACH = Walk.join, page_walk.longest_reach

MUTATIONS: dict[str, tuple[Any, str, Any, Callable[[], bool]]] = {
    "no look at the front": (MovingList, "_read_in_chains", _without_a_look_at_the_front, _busy_lists),
    "one look at the front, though it moves": (Walk, "arrived_at_once", property(lambda w: w.has_arrived), _busy_lists),
    "one known row is the known front": (KnownOrder, "is_end_of", lambda o, rows: rows[-1] in o._places, _busy_lists),
    "borders are not checked": (Walk, "join", _join_whatever_comes, _busy_lists),
    "departures are ignored: no step back": (Walk, "step_back", _stay, _busy_lists),
    "the next page is off by one": (page_walk, "longest_reach", _one_page_too_far, _busy_lists),
    "one known row is a border": (Walk, "join", _join_by_any_known_row, _rows_that_jump_to_the_end),
    "the end is not read last": (Walk, "is_newest", lambda _walk, _window: True, _rows_that_jump_to_the_end),
    "pages do not overlap": (page_walk, "longest_reach", _begin_where_the_last_ended, _quiet_lists),
}


@pytest.mark.parametrize("check", [_busy_lists, _rows_that_jump_to_the_end, _quiet_lists])
def test_the_checks_that_mutations_fail(check: Callable[[], bool]) -> None:
    """The reading as it is passes them all."""
    assert check()


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_no_rule_can_be_left_out(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation notices each rule that is missing."""
    owner, name, changed, check = MUTATIONS[mutation]
    monkeypatch.setattr(owner, name, changed)
    assert not check()


def _read(rows: Sequence[int]) -> Outcome:
    return read_one(Shifting(_rng(), len(rows), Rates(0, 0, 0, 0)))


def _rng() -> Random:
    return Random(1)  # noqa: S311 - chance that can be repeated, not secrets


class _Miscounting(Shifting):
    """A list that is right about where it ends, and wrong about how long it is."""

    miscount: Callable[[int, int], int] = staticmethod(lambda total, _rows: total)

    def next(self) -> tuple[Window, Any]:
        """Serve a page with another count."""
        window, page = super().next()
        if isinstance(page, RawPage):
            page = replace(page, count=self.miscount(page.count, len(page.documents)))
        return window, page


MISCOUNTS: dict[str, Callable[[int, int], int]] = {
    "none": lambda _total, _rows: 0,
    "the page's own rows": lambda _total, rows: rows,
    "half": lambda total, _rows: total // 2,
    "some less": lambda total, _rows: max(0, total - 7),
}


@pytest.mark.parametrize("miscount", MISCOUNTS)
@pytest.mark.parametrize("length", [0, 1, 7, 49, 50, 51, 60, 99, 100, 101, 700, 2500])
@pytest.mark.parametrize("keeps_sizes", [True, False])
def test_a_wrong_count_costs_no_row(miscount: str, length: int, *, keeps_sizes: bool) -> None:
    """Whether the list goes on is told by each page; the reading ends, and within its bounds."""
    shifting = _Miscounting(_rng(), length, Rates(0, 0, 0, 0), keeps_sizes=keeps_sizes)
    shifting.miscount = MISCOUNTS[miscount]
    outcome = read_one(shifting)
    assert (outcome.lost, outcome.is_complete) == (0, True)
    assert outcome.requests < 20 + 6 * ceil(length / 50)


@pytest.mark.parametrize("miscount", MISCOUNTS)
def test_a_wrong_count_costs_no_row_of_a_list_that_moves(miscount: str) -> None:
    """Up to one movement of each kind a page, of lists of up to ten pages."""
    for seed in range(60):
        rng = Random(seed)  # noqa: S311 - chance that can be repeated, not secrets
        shifting = _Miscounting(rng, rng.randint(1, 500), evenly(rng.choice((0.1, 1.0)))(rng))
        shifting.miscount = MISCOUNTS[miscount]
        outcome = read_one(shifting)
        assert (outcome.lost, outcome.is_complete) == (0, True), seed


@pytest.mark.parametrize("length", [2, 40, 50, 51, 70, 1000])
def test_pages_that_lack_their_last_row_are_no_wrong_count(length: int) -> None:
    """A page that for ever lacks a row, of whatever size it is asked for, leaves the list incomplete."""
    shifting = _Short(_rng(), length, Rates(0, 0, 0, 0))
    shifting.spoilt = 10**6
    assert not read_one(shifting).is_complete


@pytest.mark.parametrize("length", [40, 700])
@pytest.mark.parametrize("keeps_sizes", [True, False])
def test_a_count_that_is_too_high_leaves_the_list_incomplete(length: int, *, keeps_sizes: bool) -> None:
    """Nothing tells a row too many from one that the last page lacks: all that came is read, and no order is missed."""
    shifting = _Miscounting(_rng(), length, Rates(0, 0, 0, 0), keeps_sizes=keeps_sizes)
    shifting.miscount = lambda total, _rows: total + 1
    outcome = read_one(shifting)
    assert (outcome.lost, outcome.is_complete) == (0, False)
