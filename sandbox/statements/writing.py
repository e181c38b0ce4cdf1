"""Writes the settlement files that match a sandbox's orders, one per week and currency."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sandbox.orders.model import Document
from sandbox.statements.files import NORMAL, STYLES, write_statement
from sandbox.statements.planting import Earlier, Planted, plant
from sandbox.statements.rows import Row, account_rows, order_rows

FIRST_INVOICE = 10_047_001


def write_statements(
    documents: Sequence[Document], out: Path, now: int, *, platform: str = "EU", planted: bool = False
) -> list[Path]:
    """Write all statements issued by `now` (microseconds) into a folder, and give their paths."""
    today = datetime.fromtimestamp(now / 1_000_000, UTC).date()
    rows = list(order_rows(documents))
    issued = sorted({row.invoiced_on for row in rows if row.invoiced_on <= today})
    if not issued:
        return []
    mondays = [issued[0] + timedelta(weeks=n) for n in range((issued[-1] - issued[0]).days // 7 + 1)]
    rows += account_rows(mondays, "EUR" if platform == "EU" else rows[0].currency)
    differences: list[Planted] = []
    earlier: Earlier | None = None
    if planted:
        rows, differences, earlier = plant(rows, documents, issued[-1])
    references = _references([row for row in rows if row.invoiced_on <= today], platform)
    out.mkdir(parents=True, exist_ok=True)
    paths, styles = [], {}
    for number, ((monday, currency), reference) in enumerate(references.items()):
        style = STYLES[number % len(STYLES)] if planted else NORMAL
        path = out / f"invoice_{reference}.csv"
        of_file = [row for row in rows if (row.invoiced_on, row.currency) == (monday, currency)]
        path.write_bytes(write_statement(of_file, style))
        paths.append(path)
        styles[path.name] = style.name
    if planted:
        twice = paths[0].with_name(f"{paths[0].stem} (1).csv")
        twice.write_bytes(paths[0].read_bytes())
        paths.append(twice)
        if earlier:
            paths.append(_write_earlier(out, earlier, rows, references, styles))
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
    """Number the statements in the order of their dates."""
    keys = sorted({(row.invoiced_on, row.currency) for row in rows})
    return {key: f"{key[0]:%Y%m%d}-{platform}-H-{FIRST_INVOICE + n}" for n, key in enumerate(keys)}


def _write_record(
    out: Path,
    differences: Sequence[Planted],
    references: dict[tuple[date, str], str],
    styles: dict[str, str],
    twice: Path,
) -> None:
    found = [
        {**asdict(each), "row_date": each.row_date.isoformat(), "invoice_ref": _reference(each, references)}
        for each in differences
    ]
    counts: dict[str, int] = defaultdict(int)
    for each in differences:
        counts[each.kind] += 1
    document = {"differences": found, "counts": counts, "file_twice": twice.name, "styles": styles}
    out.with_name(f"{out.name}.planted.json").write_text(json.dumps(document, indent=1) + "\n")


def _reference(planted: Planted, references: dict[tuple[date, str], str]) -> str | None:
    monday = planted.row_date + timedelta(days=7 - planted.row_date.weekday())
    return references.get((monday, planted.currency))
