"""Ask the fast tests which changes of the business rules they would let pass.

Run as `.state/venv/bin/python -m local.mutants [rule …]` from the project's folder, once `make test` has set it up:
without a name all rules are asked about, with `inventory prices` these two. mutmut is installed into an environment of
its own and works on a copy, both under `.state/`. Printed are how many changes of each rule some test noticed, and
those that none did; it ends with 1 where there are any.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

from local.bootstrap import PROJECT, STATE
from local.failure import LocalError, run_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MUTMUT = "mutmut==3.8.1"
_ENVIRONMENT = STATE / "mutants-venv"
_WORK = STATE / "mutations"
_LOG = STATE / "mutations.log"
_RULES = PROJECT / "plugins" / "backmarket" / "rules"
# What takes seconds: with it, each change would cost too much.
_LEFT_OUT = ("test_inventory_simulation.py",)
# With which exit codes mutmut notes a change that all tests let pass, and one that no test runs.
_SURVIVED, _UNTESTED = 0, 33

_CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/backmarket/rules/*.py", "src/backmarket/rules/*/*.py"]
pytest_add_cli_args_test_selection = ["tests/rules"]
also_copy = ["local", "sandbox"]
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = "--import-mode=importlib -p no:cacheprovider"
"""


def main(rules: Sequence[str]) -> int:
    """Try the changes of the named rules, or of all; return how many no test noticed."""
    chosen = sorted(rules) or [_name(path) for path in sorted(_RULES.rglob("[!_]*.py"))]
    mutmut = _install()
    _lay_out()
    _try(mutmut, [f"backmarket.rules.{rule}.*" for rule in chosen])
    return _report(mutmut, chosen)


def _name(rule: Path) -> str:
    return ".".join(rule.relative_to(_RULES).with_suffix("").parts)


def _install() -> Path:
    """Return mutmut, from an environment that has it beside what the project's environment has."""
    mutmut = _ENVIRONMENT / "bin" / "mutmut"
    if not mutmut.exists():
        venv.create(_ENVIRONMENT, clear=True)
        packages = next(_ENVIRONMENT.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text(sysconfig.get_path("purelib"))
        pip = [sys.executable, "-m", "pip", "--python", str(_ENVIRONMENT / "bin" / "python"), "install", "--quiet"]
        subprocess.run([*pip, MUTMUT], check=True)
    return mutmut


def _lay_out() -> None:
    """Copy the code and the fast tests to where mutmut looks for them, without what an earlier run left."""
    shutil.rmtree(_WORK, ignore_errors=True)
    for source in ("local", "plugins/backmarket", "sandbox", "tests/rules"):
        left_out = _LEFT_OUT if source == "tests/rules" else ()
        target = _WORK / source.replace("plugins", "src")
        shutil.copytree(PROJECT / source, target, ignore=shutil.ignore_patterns("__pycache__", *left_out))
    shutil.copy2(PROJECT / "tests" / "conftest.py", _WORK / "tests")
    (_WORK / "pyproject.toml").write_text(_CONFIGURATION)


def _try(mutmut: Path, names: Sequence[str]) -> None:
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(_WORK / "hypothesis")}
    print(f"Trying the changes, for some minutes; what mutmut says goes to {_LOG.relative_to(PROJECT)}.", flush=True)
    with _LOG.open("w") as log:
        command = [str(mutmut), "run", "--max-children", "1", *names]
        ended = subprocess.run(command, cwd=_WORK, env=environment, stdout=log, stderr=log, check=False)
    if ended.returncode:
        raise LocalError(f"mutmut failed: read {_LOG.relative_to(PROJECT)}. A name that is no rule does that, too.")


def _report(mutmut: Path, rules: Sequence[str]) -> int:
    passed_all = []
    for rule in rules:
        results = _WORK / "mutants" / "src" / "backmarket" / "rules" / f"{rule.replace('.', '/')}.py.meta"
        codes = json.loads(results.read_text())["exit_code_by_key"]
        passed = [name for name, code in codes.items() if code in (_SURVIVED, _UNTESTED)]
        noticed = len(codes) - len(passed)
        print(f"{rule:24}{noticed:5} of {len(codes):4}  {100 * noticed / max(len(codes), 1):4.0f} %")
        passed_all += passed
    sys.stdout.flush()
    for name in passed_all:
        subprocess.run([mutmut, "show", name], cwd=_WORK, check=True)
    return len(passed_all)


if __name__ == "__main__":
    sys.exit(run_command(lambda: 1 if main(sys.argv[1:]) else 0))
