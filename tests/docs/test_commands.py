"""Every command of the documentation is run in the surroundings that it is written for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import CLONE, DOCUMENTS, OWN, PROJECT, STACK, blocks, clone, run_as_typed, with_values

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.remote import Sandbox

README = DOCUMENTS[:1]


def test_every_block_has_its_surroundings() -> None:
    """A new block says where it is to work, in tests/commands.py, and is run there from then on."""
    found = blocks()
    assert {CLONE, STACK, OWN} <= {block.surroundings for block in found}
    assert [block for block in found if block.surroundings is None] == []


def test_what_a_clone_is_asked_for_is_there() -> None:
    """The targets exist; what they do takes minutes, and is run by itself."""
    for block in blocks():
        if block.surroundings == CLONE:
            answer = run_as_typed(block.text.replace("make ", "make --dry-run "), PROJECT)
            assert answer.returncode == 0, answer.stderr


@pytest.mark.timeout(900)
def test_ten_minutes_lead_to_a_dry_run_on_another_server(tmp_path: Path, sandbox: Sandbox, warehouse_uri: str) -> None:
    """A newcomer's path: a fresh home, connections and Variables by environment alone; the server is sent nothing.

    The commands further down are those of the same reader, once Airflow has read the DAGs.
    """
    import psycopg

    of_own = [block.text for block in blocks(of=README) if block.surroundings == OWN]
    first_steps = [text for text in of_own if "export " in text]
    later = [text for text in of_own if "export " not in text]
    assert len(first_steps) == 2
    assert later
    script = with_values(
        "\n".join([*first_steps, "airflow dags reserialize", *later]),
        {
            "https://www.backmarket.fr": sandbox.base_url,
            "YOUR_TOKEN": sandbox.token,
            "YourCompany": "Acme",
            "you@yourcompany.com": "ops@acme.fr",
            # As `make up` prints it.
            "postgres://user:password@host:5432/database": warehouse_uri,
        },
    )

    answer = run_as_typed(script, clone(tmp_path / "clone"))

    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    asked = sandbox.journal()
    assert len(asked) > 5
    assert [entry for entry in asked if entry["method"] != "GET"] == []
    with psycopg.connect(warehouse_uri) as connection:
        changes, orders = (connection.execute(query).fetchall() for query in _queries())
    assert orders
    assert {(kind, status) for kind, _, status, _ in changes} == {("accept", "dry_run")}


def _queries() -> list[Any]:
    """What the reader is told to look at."""
    (block,) = [block for block in blocks("sql", of=README) if "backmarket.changes" in block.text]
    return re.findall(r"select .*?;", block.text)
