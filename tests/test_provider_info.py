"""What Airflow is told of this package is what it holds, in the form of Airflow's own providers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name

import airflow
import jsonschema  # type: ignore[import-untyped]
import pytest
from airflow.sdk import Asset, BaseOperator, BaseOperatorLink
from airflow.triggers.base import BaseTrigger

from backmarket.assets import THINGS, asset
from backmarket.dag_defaults import default_args
from backmarket.provider_info import get_provider_info
from backmarket.seller_account import seller_account
from tests.conftest import PROJECT

INFO = get_provider_info()


def test_it_fits_the_schema_of_airflow() -> None:
    """Airflow ignores, with a word in the log, what does not."""
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_its_version_is_the_packages() -> None:
    """Written twice: in pyproject.toml, and where Airflow reads it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert INFO["versions"] == [project["version"]] == [version("backmarket-airflow")]
    assert INFO["package-name"] == project["name"]


@pytest.mark.parametrize(("kind", "base"), [("operators", BaseOperator), ("triggers", BaseTrigger)])
def test_every_module_is_told(kind: str, base: type) -> None:
    """Each that holds a class which others may use."""
    import backmarket

    (entry,) = INFO[kind]
    assert entry["integration-name"] in {each["integration-name"] for each in INFO["integrations"]}
    found = set()
    for path in (Path(backmarket.__file__).parent / kind).glob("*.py"):
        name = f"backmarket.{kind}.{path.stem}"
        module = import_module(name)
        classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
        if any(issubclass(each, base) for each in classes):
            found.add(name)
    assert found - {"backmarket.operators.base"} == set(entry["python-modules"])


def test_what_is_named_can_be_imported() -> None:
    """By the names that Airflow is given."""
    (hooks,), (connection_type,) = INFO["hooks"], INFO["connection-types"]
    assert connection_type["hook-class-name"].rpartition(".")[0] in hooks["python-modules"]
    for name in (connection_type["hook-class-name"], *INFO["notifications"]):
        assert isinstance(resolve_name(name), type)
    assert all(issubclass(resolve_name(name), BaseOperatorLink) for name in INFO["extra-links"])


def test_every_option_that_is_read_is_described() -> None:
    """``airflow config list`` tells of it, with the default that holds without a word in Airflow's configuration."""
    described = INFO["config"]["backmarket"]["options"]
    sources = [path.read_text(encoding="utf-8") for path in (PROJECT / "plugins" / "backmarket").rglob("*.py")]
    read = {
        option
        for source in sources
        for option in re.findall(r'(?:conf\.get\w*\("backmarket", |wait_of\()"(\w+)"', source)
    }
    assert "retry_delay_seconds" in read
    assert read <= described.keys()
    assert default_args(seller_account("default"))["retry_delay"].total_seconds() == 0, "what the tests say"
    assert described["retry_delay_seconds"]["default"] == "30"


def test_the_asset_scheme_is_known() -> None:
    """Airflow asks us about ``backmarket://``; an address is spelt as where the package is not installed."""
    assert [asset(thing).uri for thing in THINGS] == [f"backmarket://{thing}/" for thing in THINGS]
    assert asset("orders", "us").uri == "backmarket://us/orders"
    with pytest.raises(ValueError, match="names no asset of Back Market; backmarket://orders does"):
        Asset(name="nothing", uri="backmarket:///orders")


def test_nothing_is_said_of_missing_examples() -> None:
    """With ``load_examples`` on, Airflow imports a module that is called like each installed package."""
    program = "from airflow.dag_processing.bundles.manager import DagBundlesManager; DagBundlesManager()"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment_with_examples()
    )
    assert "backmarket" not in answer.stdout + answer.stderr


def environment_with_examples() -> dict[str, str]:
    """The environment of the tests, with Airflow's examples."""
    return {
        **os.environ,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "True",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("plugins")),
    }
