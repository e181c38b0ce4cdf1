"""The recipes under ``deploy/`` fit this package, Airflow and each other, and hold no secret."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from airflow.configuration import conf
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from backmarket.hooks.backmarket import BackMarketHook
from backmarket.seller_account import DEFAULT_WAREHOUSE
from backmarket.settings import PREFIX, VARIABLES
from backmarket.warehouse.pooler import PoolerModeError, require_session
from tests.pgbouncer import needs_pgbouncer, pgbouncer_by

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix not in {".whl", ".pyc"})
DAG_FILES = sorted(DEPLOY.glob("*/dags/*.py"))
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
SUPPORTED = SpecifierSet(">=3.2,<4")
CONNECTIONS = {BackMarketHook.default_conn_name, DEFAULT_WAREHOUSE}


def text(path: Path | str) -> str:
    """The text of a file of the recipes."""
    return (DEPLOY / path).read_text(encoding="utf-8")


def everything() -> str:
    """The texts of all files of the recipes."""
    return "\n".join(map(text, FILES))


def leaves(tree: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a YAML document with the key that it stands under."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, str(name))
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value, key)
    else:
        yield key, tree


def requirements(path: str) -> list[str]:
    """The lines of a requirements file without its comments and options."""
    return [line for line in text(path).splitlines() if line and not line.startswith(("#", "--"))]


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.parts[-3])
def test_the_dag_file_makes_all_dags(path: Path) -> None:
    """Airflow looks into it, as both its words stand there, and finds what this repository's own files make."""
    from airflow.dag_processing.dagbag import DagBag

    found = DagBag(path, safe_mode=True)
    assert found.import_errors == {}
    assert set(found.dags) == {each.stem for each in (PROJECT / "dags").glob("*.py")}


def test_all_recipes_have_the_same_dag_file() -> None:
    """The one that the page shows; its name hides no package."""
    assert len({text(path) for path in DAG_FILES}) == 1
    assert text(DAG_FILES[0]) in text("README.md")
    assert {path.name for path in DAG_FILES} == {"backmarket_dags.py"}


def test_settings_of_airflow_exist() -> None:
    """Each environment variable names an option that Airflow describes; Celery's come with its provider."""
    named = set(re.findall(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)", everything()))
    known = conf.configuration_description
    of_celery = {("CELERY", "BROKER_URL"), ("CELERY", "RESULT_BACKEND")}
    assert len(named) > 5
    assert [
        (section, option)
        for section, option in sorted(named - of_celery)
        if option.lower() not in known.get(section.lower(), {}).get("options", {})
    ] == []


def test_variables_and_connections_exist() -> None:
    """By the names that the code reads."""
    settings = yaml.safe_load(text("astro/airflow_settings.yaml"))["airflow"]
    told = {each["variable_name"] for each in settings["variables"]} | set(
        re.findall(r"`(backmarket_\w+_\w+)`", everything())
    )
    assert told - CONNECTIONS <= {PREFIX + name for name in VARIABLES}
    assert {each["conn_id"] for each in settings["connections"]} == CONNECTIONS
    assert {name.lower() for name in re.findall(r"AIRFLOW_CONN_(\w+)", everything())} == CONNECTIONS
    stored = re.findall(r"airflow[-/]connections[-/](backmarket_[a-z]\w+)", text("README.md"))
    assert sorted(stored) == sorted([*CONNECTIONS, *CONNECTIONS])


def test_versions_are_supported() -> None:
    """Airflow's of each recipe; the wheel's is this one."""
    versions = re.findall(r"apache/airflow:([\d.]+)", text("image/Dockerfile"))
    versions += re.findall(r"constraints-([\d.]+)/", text("mwaa/requirements.txt"))
    versions += re.findall(r"runtime:(\d+\.\d+)-", text("astro/Dockerfile"))
    values = yaml.safe_load(text("helm/values.yaml"))
    assert len([*versions, values["airflowVersion"]]) == 4
    assert [version for version in [*versions, values["airflowVersion"]] if version not in SUPPORTED] == []
    assert f"apache/airflow:{values['airflowVersion']}-" in text("image/Dockerfile")
    assert values["defaultAirflowTag"] == VERSION
    wheel = f"/usr/local/airflow/plugins/backmarket_airflow-{VERSION}-py3-none-any.whl"
    assert requirements("mwaa/requirements.txt") == [wheel]
    (asked,) = map(Requirement, requirements("composer/requirements.txt"))
    assert (asked.name, str(asked.specifier)) == ("backmarket-airflow", f"=={VERSION}")


def test_mwaa_looks_up_both_connections_in_secrets_manager_and_nothing_else() -> None:
    """Under the prefix that the page's commands store them by."""
    options = json.loads(text("mwaa/airflow-configuration-options.json"))
    found = json.loads(options["secrets.backend_kwargs"])
    assert found["connections_prefix"] == "airflow/connections"
    assert all(re.match(found["connections_lookup_pattern"], name) for name in CONNECTIONS)
    assert (found["variables_prefix"], found["config_prefix"]) == (None, None)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_no_value_is_a_secret(path: Path) -> None:
    """What is called a password or a secret is empty, or the name of a place that holds it."""
    secret = re.compile(r"pass|secret|token|fernet|jwt|sql_alchemy|result_backend|warehouse", re.IGNORECASE)
    named = [(key, str(value or "")) for key, value in leaves(yaml.safe_load(text(path))) if secret.search(key)]
    assert [
        (key, value) for key, value in named if value and "${" not in value and not key.endswith(("Name", "secretKey"))
    ] == []


def test_the_example_environment_asks_for_what_compose_needs() -> None:
    """Every variable of the file stands there, and each secret is empty."""
    asked = set(re.findall(r"\$\{([A-Z_]+)", text("compose/docker-compose.yaml")))
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", text("compose/.env.example"), flags=re.MULTILINE))
    assert asked | {"COMPOSE_PROFILES"} == set(given)
    assert {value for name, value in given.items() if name not in {"EXECUTOR", "COMPOSE_PROFILES"}} == {""}


def test_helm_names_only_secrets_that_the_page_makes() -> None:
    """And the page makes none that no values file names."""
    made = set(re.findall(r"^secret ([a-z-]+)", text("README.md"), flags=re.MULTILINE))
    named = set()
    for path in (DEPLOY / "helm").glob("*.yaml"):
        named |= {value for key, value in leaves(yaml.safe_load(text(path))) if key.lower().endswith("secretname")}
    assert named == made


def test_pgbouncer_ini_has_a_session_for_all_that_a_task_may_hold() -> None:
    """Three for each of the tasks that Airflow runs at once where nobody says otherwise: tasks never wait in a ring."""
    config = ConfigParser(interpolation=None)
    config.read_string(text("helm/pgbouncer.ini"))
    (size,) = re.findall(r"pool_size=(\d+)", config["databases"]["backmarket-warehouse"])
    assert int(size) > 3 * int(conf.get_default_value("core", "parallelism"))


@needs_pgbouncer
def test_pgbouncer_ini_keeps_the_sessions_of_the_operational_database(
    warehouse_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of Airflow's own not, as it does not ask for that."""
    config = ConfigParser(interpolation=None)
    config.read_string(text("helm/pgbouncer.ini"))
    name = psycopg.conninfo.conninfo_to_dict(warehouse_uri)["dbname"]
    for database, place in config["databases"].items():
        config["databases"][database] = re.sub(r"(host|port)=\S+ ?", "", re.sub(r"dbname=\S+", f"dbname={name}", place))
    config["pgbouncer"].pop("auth_file")
    with pgbouncer_by(tmp_path, warehouse_uri, config) as server:
        for database in config["databases"]:
            uri = f"{server}/{database}".replace("postgresql://", "postgres://")
            monkeypatch.setenv(f"AIRFLOW_CONN_{database.upper().replace('-', '_')}", uri)
        require_session("backmarket_warehouse")
        with pytest.raises(PoolerModeError):
            require_session("airflow_metadata")


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("Dockerfile")), ids=lambda path: path.parent.name)
def test_an_image_is_built_as_docker_advises(path: Path) -> None:
    """By hadolint, which knows Dockerfile's traps."""
    answer = subprocess.run([tool("hadolint"), str(path)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_yaml_is_written_cleanly() -> None:
    """By yamllint: doubled keys, and values that look like text and are none."""
    rules = "{extends: default, rules: {line-length: disable, document-start: disable, comments: disable}}"
    command = [tool("yamllint"), "--strict", "--config-data", rules, str(DEPLOY)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


def tool(name: str) -> str:
    """A program that is installed beside the running Python."""
    return str(Path(sys.executable).parent / name)
