"""A stranger finds things where their names say: one stem a concern, and one place for each kind of thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "plugins" / "backmarket"
OPERATORS = sorted((PACKAGE / "operators").glob("[!_]*.py"))
STEMS = [path.stem.removeprefix("backmarket_") for path in sorted((PROJECT / "dags").glob("*.py"))]


@pytest.mark.parametrize("stem", STEMS)
def test_a_concern_has_its_stem_in_every_layer(stem: str) -> None:
    """From a red task to its operators, its tests and its page of operations by one name."""
    assert (PACKAGE / "operators" / f"{stem}.py").is_file()
    assert list((PROJECT / "tests" / "dags").glob(f"test_{stem}*.py"))
    assert (PROJECT / "docs" / "operations" / f"{stem}.md").is_file()


@pytest.mark.parametrize("path", OPERATORS, ids=lambda path: path.stem)
def test_a_file_of_operators_holds_nothing_else(path: Path) -> None:
    """No function, no constant, no exception: what is decided and done stands in services and rules."""
    found = ast.parse(path.read_text(encoding="utf-8")).body
    others = [each for each in found if not isinstance(each, ast.ClassDef | ast.Import | ast.ImportFrom)]
    kinds = {ast.unparse(each).split("\n")[0] for each in others[1:]}
    assert {kind for kind in kinds if kind != "if TYPE_CHECKING:"} == set()
    classes = [each.name for each in found if isinstance(each, ast.ClassDef)]
    assert classes
    assert [name for name in classes if not re.fullmatch(r"BackMarket\w*(Operator|Link)", name)] == []


def test_the_statements_of_a_concern_stand_in_one_file() -> None:
    """Forty files at most; a folder holds the long statements of the file of its name, and those alone."""
    folder = PROJECT / "include" / "sql"
    files = [path for path in folder.rglob("*.sql") if path.parent.name != "migrations"]
    assert 10 < len(files) <= 40
    of_their_own = [path for path in files if path.parent != folder]
    assert [path for path in of_their_own if not (folder / f"{path.parent.name}.sql").is_file()] == []
    assert [path.name for path in of_their_own if len(path.read_text(encoding="utf-8").splitlines()) < 40] == []


def test_the_map_for_contributors_leads_somewhere() -> None:
    """Every file that it names is there; a path begins at the package or at the project."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|sql))`", text))
    assert len(named) > 12
    assert [path for path in sorted(named) if not ((PACKAGE / path).exists() or (PROJECT / path).exists())] == []
