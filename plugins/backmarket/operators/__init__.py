"""All operators, by name: ``from backmarket.operators import BackMarketOrderDownloadOperator``.

A name imports its own module and no other: a DAG file should not wait for what it does not use.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_OPERATOR = re.compile(r"^class (BackMarket\w*Operator)\b", re.MULTILINE)


@cache
def _modules() -> dict[str, str]:
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    return {name: file.stem for file in files for name in _OPERATOR.findall(file.read_text(encoding="utf-8"))}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_modules())
    if name not in _modules():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_modules()[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_modules())
