"""Which days a statement settles: a mistyped year among its rows adds none."""

from __future__ import annotations

from datetime import date

import pytest

from backmarket.rules.settlements.coverage import covered_days
from backmarket.rules.settlements.styles import choose_dates

ISSUED = date(2026, 9, 15)
TODAY = date(2026, 9, 16)


@pytest.mark.parametrize(
    ("days", "issued_on", "covered"),
    [
        (["2026-09-10"], ISSUED, ("2026-09-08", "2026-09-14")),
        (["2026-08-30", "2026-09-15"], ISSUED, ("2026-08-30", "2026-09-15")),
        (["2026-09-10", "2027-09-15", "9999-12-31", "0026-09-10"], ISSUED, ("2026-09-08", "2026-09-14")),
        (["2026-08-01"], ISSUED, ("2026-08-01", "2026-09-14")),
        (["2026-07-31"], ISSUED, ("2026-09-08", "2026-09-14")),
        # Without a reference in the name the latest day that has come stands for the date of issue.
        (["2026-09-10", "2026-09-12", "2027-09-10", "0026-09-10"], None, ("2026-09-10", "2026-09-12")),
        (["2027-09-10"], None, None),
        # The name is mistyped: its rows are older than such a statement's.
        (["2026-09-10"], date(2027, 9, 15), ("2027-09-08", "2027-09-14")),
        (["0001-01-01"], date(1, 1, 1), ("0001-01-01", "0001-01-01")),
    ],
)
def test_a_day_that_a_statement_cannot_speak_of_is_not_covered(
    days: list[str], issued_on: date | None, covered: tuple[str, str] | None
) -> None:
    """It holds nothing later than itself and nothing older than 45 days."""
    expected = covered and tuple(map(date.fromisoformat, covered))
    assert covered_days(set(map(date.fromisoformat, days)), issued_on, TODAY) == expected


def test_a_reference_of_the_first_day_there_is_decides_no_dates() -> None:
    """Nothing is reckoned back from it."""
    assert choose_dates({"13/09/2026"}, date(1, 1, 1)) == {"13/09/2026": date(2026, 9, 13)}
    with pytest.raises(ValueError, match="01/09/2026"):
        choose_dates({"01/09/2026"}, date(1, 1, 1))
