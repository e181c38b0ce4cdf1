"""A parser that is not Python's own reads the catalog's CSV as it was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backmarket.rules.catalog_csv import write_catalog

if TYPE_CHECKING:
    import psycopg

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(
    ['"', '","', ";", "\n", "\r\n", "\r", "\\.", "📱", '"a";"b",\n"c"']
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries({"sku": TEXTS, "title": TEXTS, "comment": TEXTS}), min_size=1))
def test_postgresql_reads_the_same(warehouse: psycopg.Connection[Any], rows: list[dict[str, str]]) -> None:
    """Every text survives, to the letter, in its row and column."""
    warehouse.execute("create temporary table if not exists arrived (n serial, comment text, sku text, title text)")
    warehouse.execute("truncate arrived")
    with warehouse.cursor() as cursor:
        options = "format csv, header, delimiter ';', force_not_null (sku, comment, title)"
        copying = f"copy arrived (sku, comment, title) from stdin ({options})"
        with cursor.copy(copying) as copy:
            copy.write(write_catalog(rows).encode())
        arrived = cursor.execute("select sku, title, comment from arrived order by n").fetchall()
    assert arrived == [(row["sku"], row["title"], row["comment"]) for row in rows]
