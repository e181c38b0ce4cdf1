"""The short form of `make chaos`: everything at once for some days, every sick item, and no loss."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SEED = 7


@pytest.mark.timeout(600)
def test_the_short_form_injects_hundreds_of_faults_and_finds_no_loss() -> None:
    """It ends with 0, tells how many faults there were, and names the seed that repeats it."""
    arguments = ["--short", "--seed", str(SEED), "--faults", "250", "--minutes", "0.6"]
    # Its own Airflow and its own settings: nothing of this test session's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    ended = subprocess.run(
        [sys.executable, "-m", "chaos", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-6000:]}\n{ended.stderr[-3000:]}"
    assert f"--seed {SEED}" in ended.stdout
    found = re.search(r"(\d+) faults injected, 0 losses", ended.stdout)
    assert found
    assert int(found[1]) >= 100
    assert not re.search(r"^0 prices were moved for the BackBox", ended.stdout, re.MULTILINE)
