"""Adds the page "Back Market" where this project is copied beside Airflow and not installed.

Installed, it is found by its entry point, and Airflow would warn of a second plugin of the same name.
"""

from __future__ import annotations

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="backmarket"):
    from backmarket.page.plugin import BackMarketPlugin

    __all__ = ["BackMarketPlugin"]
