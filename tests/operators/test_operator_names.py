"""Every operator can be imported from ``backmarket.operators``, which imports no more than it is asked for."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

from backmarket import operators

MODULES = [module.name for module in pkgutil.iter_modules(operators.__path__)]


def _operators_of(module: str) -> list[str]:
    found = import_module(f"backmarket.operators.{module}")
    return [
        name
        for name, value in vars(found).items()
        if name.endswith("Operator") and getattr(value, "__module__", None) == found.__name__
    ]


@pytest.mark.parametrize("module", MODULES)
def test_every_operator_is_found_by_its_name(module: str) -> None:
    """It is the very class of its module, and listed for those who look around."""
    names = _operators_of(module)
    assert names
    for name in names:
        assert getattr(operators, name) is getattr(import_module(f"backmarket.operators.{module}"), name)
        assert name in dir(operators)
        assert name in operators.__all__


def test_no_other_name_is_promised() -> None:
    """What is listed exists, and a slip is an AttributeError, as in any module."""
    assert sorted(operators.__all__) == sorted(name for module in MODULES for name in _operators_of(module))
    with pytest.raises(AttributeError, match="BackMarketNothingOperator"):
        _ = operators.BackMarketNothingOperator


@pytest.mark.parametrize(
    "statement", ["import backmarket.operators.gate", "from backmarket.operators import BackMarketGateOperator"]
)
def test_a_gate_imports_no_other_operators(statement: str) -> None:
    """A DAG file does not wait for modules that it does not use."""
    look = "import sys; print(*sorted(name for name in sys.modules if name.startswith('backmarket.operators.')))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {look}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.split() == ["backmarket.operators.gate"]
