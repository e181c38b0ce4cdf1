"""Gathers how the competition for the BackBox stands: what is won, what could be, and what nobody can decide about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backmarket.concerns import BACKBOX
from backmarket.page import charts
from backmarket.page.back_office import back_office
from backmarket.page.downloads import table
from backmarket.page.lists import BELOW_FLOOR, LISTS_OF_BACKBOX, UNDECIDED, WITHIN_FLOOR, show_first
from backmarket.page.variables import read_all
from backmarket.warehouse.lists import ListRows, rows_within

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from backmarket.page.charts import Chart
    from backmarket.page.downloads import Download
    from backmarket.page.lists import Shown
    from backmarket.page.place import Place
    from backmarket.page.variables import VariableState
    from backmarket.warehouse.snapshot import Reader, Row

_MOST_ROWS = 10
_MOST_LOST = ("backbox_most_lost", "list_backbox")
_ON_THE_PAGE = {"within-floor": WITHIN_FLOOR, "below-floor": BELOW_FLOOR, "undecided": UNDECIDED}
_MARKETS = {
    "market": "Market",
    "competing": "Listings that compete",
    "won": "Won",
    "share": "Won in %",
    "within_floor": "Would win within the floor",
}
_DAYS = {"bucket": "Day", "series": "Market", "competing": "Listings that compete", "won": "Won", "share": "Won in %"}


@dataclass(frozen=True)
class BackBox:
    """How the competition stands as a whole, each listing counted once a market.

    :param competing: those that take part, as last read.
    :param within_floor: those of them that do not win, and would at a price not below their floor.
    :param moved: prices that were moved for it within 24 hours.
    :param in_dry_run: those that would have been, but for the dry run.
    :param waiting: moves that wait for a person.
    """

    competing: int
    won: int
    within_floor: int
    moved: int
    in_dry_run: int
    waiting: int

    @property
    def share(self) -> int | None:
        """How much is won, in per cent; None where nothing competes."""
        return _share(self.won, self.competing)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not any((self.competing, self.moved, self.in_dry_run, self.waiting))


@dataclass(frozen=True)
class Competition:
    """The page about it.

    :param markets: the share of each market now, the one in which most competes first.
    :param asked_at: when Back Market was asked last; None: never.
    :param asked: how many listings within the last hour, of which ``unreadable`` gave no answer that can be read.
    :param switches: what a person can switch on, with what it is set to.
    :param groups: the first of those that would win, that cannot, and that nobody can decide about.
    """

    now: datetime
    whole: BackBox
    markets: list[Row]
    days: list[Row]
    asked_at: datetime | None
    asked: int
    unreadable: int
    variables: Mapping[str, VariableState]
    groups: list[Shown]

    @property
    def switches(self) -> list[tuple[str, VariableState]]:
        """What a person can switch on here, each with its title."""
        titles = {"enabled": "Main switch"} | {switch.toggle: switch.title for switch in BACKBOX.switches}
        return [(title, self.variables[name]) for name, title in {**titles, "dry_run": "Dry run"}.items()]

    @property
    def chart(self) -> Chart:
        """The share of each market by day."""
        return charts.shares_per_day("BackBox won per day", "in %, by market, last 30 days", self.days, self.now.date())

    @property
    def tables(self) -> dict[str, Download]:
        """Its tables, to be saved."""
        days = [{**row, "share": _share(row["won"], row["competing"])} for row in self.days]
        return {
            "markets": table("backbox-by-market", _MARKETS, self.markets),
            "days": table("backbox-by-day", _DAYS, days),
        }


def gather(database: Reader) -> BackBox:
    """Count how the competition stands."""
    return _whole(_markets(database), database)


def competition(session: Session, place: Place, kept: Mapping[str, str], now: datetime) -> Competition:
    """Return what the page about the BackBox shows.

    :param kept: what the address of each of its lists has to carry.
    """
    with place.read() as database:
        markets = _markets(database)
        read: Row = next(iter(database.rows("backbox_reading")), {"asked_at": None, "asked": 0, "unreadable": 0})
        return Competition(
            now=now,
            whole=_whole(markets, database),
            markets=markets,
            days=database.rows("chart_backbox"),
            asked_at=read["asked_at"],
            asked=read["asked"],
            unreadable=read["unreadable"],
            variables=read_all(session, place.account),
            groups=_groups(database, kept),
        )


def _groups(database: Reader, kept: Mapping[str, str]) -> list[Shown]:
    """Return the first of each group; all of them are read at once."""
    found: dict[str, list[Row]] = {standing: [] for standing in _ON_THE_PAGE.values()}
    if database.can_read("backbox_standings", *_MOST_LOST):
        values = {"account": database.account, "standings": list(found), "most": _MOST_ROWS}
        for row in database.connection.execute(rows_within("backbox_standings", _MOST_LOST), values):
            found[row["kind"]].append(row)
    office = back_office(database)
    return [
        show_first(LISTS_OF_BACKBOX[name], _rows(found[standing]), kept, office)
        for name, standing in _ON_THE_PAGE.items()
    ]


def _rows(items: list[Row]) -> ListRows:
    """Return those by which most is lost, in that order."""
    items = sorted(items, key=lambda row: (row["lost"] is None, -(row["lost"] or 0), row["topic"]))
    return ListRows(items[0]["total"] if items else 0, items=items)


def _markets(database: Reader) -> list[Row]:
    return [
        {**row, "share": _share(row["won"], row["competing"])}
        for row in database.rows("count_backbox")
        if row["competing"]
    ]


def _whole(markets: list[Row], database: Reader) -> BackBox:
    competing, won, within_floor = (sum(row[name] for row in markets) for name in ("competing", "won", "within_floor"))
    moves = next(iter(database.rows("count_moves")), {"moved": 0, "in_dry_run": 0, "waiting": 0})
    return BackBox(competing, won, within_floor, moves["moved"], moves["in_dry_run"], moves["waiting"])


def _share(won: int, competing: int) -> int | None:
    return round(100 * won / competing) if competing else None
