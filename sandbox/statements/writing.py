"""Writes the settlement files that match a sandbox's orders, one per week and currency."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sandbox.markets import PLATFORMS
from sandbox.orders.model import Document
from sandbox.statements.files import NORMAL, STYLES, style_of, write_statement
from sandbox.statements.known import KnownAfterSales
from sandbox.statements.planting import Earlier, Planted, plant
from sandbox.statements.planting_after_sales import plant_after_sales
from sandbox.statements.rows import Row, account_rows, order_rows

FIRST_INVOICE = 10_047_001


def write_statements(
    documents: Sequence[Document],
    known: KnownAfterSales,
    out: Path,
    now: int,
    *,
    platform: str = "EU",
    planted: bool = False,
    planted_after_sales: bool = False,
    week_under_way: bool = False,
) -> list[Path]:
    """Write all statements issued by `now` (microseconds) into a folder, and give their paths.

    With `week_under_way`, that week's are issued early, up to today, under the reference that they will have; nothing
    is planted in them.
    """
    today = datetime.fromtimestamp(now / 1_000_000, UTC).date()
    rows = list(order_rows(documents, known.refunds))
    completed = sorted({row.invoiced_on for row in rows if row.invoiced_on <= today})
    if not completed:
        return []
    mondays = [completed[0] + timedelta(weeks=n) for n in range((completed[-1] - completed[0]).days // 7 + 1)]
    rows += account_rows(mondays, "EUR" if platform == "EU" else rows[0].currency)
    differences: list[Planted] = []
    earlier: Earlier | None = None
    if planted:
        rows, differences, earlier = plant(rows, documents, completed[-1])
    if planted_after_sales:
        taken = {each.order_id for each in differences}
        rows, more = plant_after_sales(rows, documents, completed[-1], known, taken)
        differences += more
    rows = [row for row in rows if row.invoiced_on <= today or (week_under_way and row.value_date <= today)]
    references = _references(rows, platform)
    out.mkdir(parents=True, exist_ok=True)
    paths, styles = [], {}
    for (monday, currency), reference in references.items():
        path = out / f"invoice_{reference}.csv"
        of_file = [row for row in rows if (row.invoiced_on, row.currency) == (monday, currency)]
        style = style_of(int(reference.rpartition("-")[2]), of_file) if planted else NORMAL
        path.write_bytes(write_statement(of_file, style))
        paths.append(path)
        styles[path.name] = style.name
    twice = paths[0].with_name(f"{paths[0].stem} (1).csv") if planted else None
    if twice is not None:
        twice.write_bytes(paths[0].read_bytes())
        paths.append(twice)
    if earlier:
        paths.append(_write_earlier(out, earlier, rows, references, styles))
    if planted or planted_after_sales:
        _write_record(out, differences, references, styles, twice)
    return paths


def _write_earlier(
    out: Path,
    earlier: Earlier,
    rows: Sequence[Row],
    references: dict[tuple[date, str], str],
    styles: dict[str, str],
) -> Path:
    """Write an earlier export of the statement that holds a row, in the same style, a day older than the later one."""
    statement = (earlier.row.invoiced_on, earlier.row.currency)
    later = out / f"invoice_{references[statement]}.csv"
    of_file = [
        earlier.instead if row is earlier.row else row for row in rows if (row.invoiced_on, row.currency) == statement
    ]
    style = next(style for style in STYLES if style.name == styles[later.name])
    path = later.with_name(f"{later.stem} (earlier).csv")
    path.write_bytes(write_statement([*of_file, earlier.besides], style))
    written = later.stat().st_mtime - 86_400
    os.utime(path, (written, written))
    return path


def _references(rows: Sequence[Row], platform: str) -> dict[tuple[date, str], str]:
    """Number the statements in the order of their dates, each as it was numbered before it had all its rows."""
    keys = sorted({(row.invoiced_on, row.currency) for row in rows})
    currencies = sorted(
        {row.currency for row in rows} | {each.currency for each in PLATFORMS[platform].markets.values()}
    )
    numbers = {
        (monday, currency): (monday - keys[0][0]).days // 7 * len(currencies) + currencies.index(currency)
        for monday, currency in keys
    }
    return {key: f"{key[0]:%Y%m%d}-{platform}-H-{FIRST_INVOICE + number}" for key, number in numbers.items()}


def _write_record(
    out: Path,
    differences: Sequence[Planted],
    references: dict[tuple[date, str], str],
    styles: dict[str, str],
    twice: Path | None,
) -> None:
    found = [
        {**asdict(each), "row_date": each.row_date.isoformat(), "invoice_ref": _reference(each, references)}
        for each in differences
    ]
    counts: dict[str, int] = defaultdict(int)
    for each in differences:
        counts[each.kind] += 1
    document = {"differences": found, "counts": counts, "file_twice": twice and twice.name, "styles": styles}
    out.with_name(f"{out.name}.planted.json").write_text(json.dumps(document, indent=1) + "\n")


def _reference(planted: Planted, references: dict[tuple[date, str], str]) -> str | None:
    monday = planted.row_date + timedelta(days=7 - planted.row_date.weekday())
    return references.get((monday, planted.currency))
