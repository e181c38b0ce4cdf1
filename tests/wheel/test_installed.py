"""An installed package is enough: the page is there once, and two lines make the DAGs, with no folder copied."""

from __future__ import annotations

import importlib.metadata
import json
import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import FROM_WHEEL, PROJECT
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.remote import Sandbox

from_wheel = pytest.mark.skipif(not FROM_WHEEL, reason="the wheel is not installed here: make test AIRFLOW=3.2.1")


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, from a folder of theirs."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@from_wheel
def test_nothing_comes_from_the_checkout(tmp_path: Path) -> None:
    """Neither the package nor its SQL."""
    program = "import backmarket, sys; from backmarket.warehouse.sql import folder; print(folder(), *sys.path)"
    answer = run("-c", program, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr
    sql, *path = answer.stdout.split()
    assert sql.startswith(sys.prefix)
    assert [each for each in path if each.startswith(str(PROJECT)) and not each.startswith(sys.prefix)] == []


@pytest.mark.parametrize("is_copied", [False, True], ids=["installed", "installed_and_copied"])
def test_the_page_is_registered_once(is_copied: bool, tmp_path: Path, airflow_database: None) -> None:
    """By the entry point; a copied ``plugins/`` beside it adds no second one, of which Airflow would warn."""
    plugins = PROJECT / "plugins" if is_copied else tmp_path
    answer = run(
        "-m", "airflow", "plugins", "--output", "json", folder=tmp_path, AIRFLOW__CORE__PLUGINS_FOLDER=str(plugins)
    )
    found = json.loads(answer.stdout[answer.stdout.index("[{") :])
    (source,) = [plugin["source"] for plugin in found if plugin["name"] == "backmarket"]
    assert "backmarket-airflow==" in source
    assert "already registered" not in answer.stdout + answer.stderr


def test_the_page_of_a_copy_is_found_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is installed."""
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    assert "BackMarketPlugin" in runpy.run_path(str(PROJECT / "plugins" / "backmarket_plugin.py"))


@from_wheel
def test_two_lines_make_the_dags(
    sandbox: Sandbox, warehouse_uri: str, airflow_database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``airflow dags test`` runs in an environment that holds the wheel and one file of the user's."""
    connect(sandbox, monkeypatch)
    for toggle in ("ENABLED", "ORDER_DOWNLOAD"):
        monkeypatch.setenv(f"AIRFLOW_VAR_BACKMARKET_{toggle}", "true")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "back_market.py").write_text(
        "# Airflow opens only files that hold this word and dag.\n"
        "from backmarket.dags import create_dags\n"
        "globals().update(create_dags())\n"
    )
    answer = run("-m", "airflow", "dags", "test", "backmarket_orders", folder=tmp_path)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
    assert "state=success" in answer.stdout
    assert [request for request in sandbox.journal() if "/orders" in request["path"]] != []
