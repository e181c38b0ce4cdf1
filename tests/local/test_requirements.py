"""The dependency files: they agree with each other, and name nobody's machine."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from local.bootstrap import _LOCKED_GROUPS, AIRFLOW_RELEASES, PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
RELEASE_LOCKS = [f"tests/airflow_versions/{version}.lock" for version in AIRFLOW_RELEASES]
LOCKS = ("requirements.lock", "requirements-bench.lock", *RELEASE_LOCKS)


def requirements(name: str) -> list[str]:
    """The requirements of a file, without comments."""
    lines = (line.strip() for line in (PROJECT / name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def locked(name: str) -> set[str]:
    """The names of the packages that a lock pins."""
    return set(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==", (PROJECT / name).read_text(), flags=re.MULTILINE))


def name_of(requirement: str) -> str:
    """The package a requirement is about, as a lock spells it."""
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def test_requirements_txt_is_pyproject_without_airflow_itself() -> None:
    """Astro, MWAA and Composer bring Airflow; everything else they need stands in requirements.txt."""
    needed = [
        requirement for requirement in PYPROJECT["project"]["dependencies"] if name_of(requirement) != "apache-airflow"
    ]

    assert requirements("requirements.txt") == needed


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_nobodys_machine(lock: str) -> None:
    """A lock installs from whatever index the machine uses: no address, no path, a hash for each package."""
    text = (PROJECT / lock).read_text()

    assert not re.search(r"://|file:|--(extra-)?index-url|--find-links|^/|\s/\w", text)
    assert len(locked(lock)) <= text.count("==") <= text.count("--hash=sha256:")


def test_the_lock_covers_what_make_needs() -> None:
    """Whoever adds a dependency runs `make lock`; dlt, the benchmarks' peer, stays out of Airflow's environment."""
    groups = PYPROJECT["dependency-groups"]
    needed = [*PYPROJECT["project"]["dependencies"]]
    needed += [requirement for group in _LOCKED_GROUPS for requirement in groups[group]]

    assert {name_of(requirement) for requirement in needed} <= locked("requirements.lock")
    assert {name_of(requirement) for requirement in groups["bench"]} <= locked("requirements-bench.lock")
    assert "dlt" not in locked("requirements.lock")


@pytest.mark.parametrize("lock", RELEASE_LOCKS)
def test_what_an_older_airflow_comes_with_is_enough(lock: str) -> None:
    """Managed platforms hold all packages to the versions of the release's day: no floor may be above them."""
    text = (PROJECT / lock).read_text()
    pins = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ ]+)", text, flags=re.MULTILINE))
    needed = [Requirement(each) for each in PYPROJECT["project"]["dependencies"]]

    assert [str(each) for each in needed if not each.specifier.contains(pins[name_of(each.name)])] == []
    assert pins["apache-airflow"] == lock.removesuffix(".lock").rpartition("/")[2]
