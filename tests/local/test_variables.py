"""The Variables that ``make up`` begins with explain themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from backmarket.settings import PREFIX, VARIABLES
from local import variables
from local.stack import prepare_airflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Runs:
    """Runs commands in this very process, in place of the stack's processes."""

    def run(self, name: str, command: list[str | Path], _environment: Mapping[str, str]) -> None:
        """Run one to its end."""
        from airflow.cli.cli_parser import get_parser

        if name != "airflow db migrate":
            arguments = get_parser().parse_args(list(map(str, command[1:])))
            arguments.func(arguments)


def test_each_variable_is_one_that_is_read_and_has_a_description(tmp_path: Path) -> None:
    """In plain words: somebody who looks under Admin → Variables has not read the README."""
    given = variables.variables_of(tmp_path)
    assert variables.DESCRIPTIONS.keys() == given.keys()
    assert {name.removeprefix(PREFIX) for name in given} <= VARIABLES.keys()
    assert all(text.endswith(".") for text in variables.DESCRIPTIONS.values())


def test_airflow_stores_them_with_their_descriptions(airflow_database: None, tmp_path: Path) -> None:
    """By the very command that the stack gives."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    for folder in ("airflow", "postgres"):
        (tmp_path / folder).mkdir()
    prepare_airflow(tmp_path, Runs(), {}, {"backmarket_markets": '["fr-fr"]'})  # type: ignore[arg-type]
    with create_session() as session:
        stored = session.scalars(select(Variable).where(Variable.key == "backmarket_markets")).one()
        session.execute(delete(Variable).where(Variable.key == "backmarket_markets"))
    assert json.loads(stored.val or "") == ["fr-fr"]
    assert stored.description == variables.DESCRIPTIONS["backmarket_markets"]
