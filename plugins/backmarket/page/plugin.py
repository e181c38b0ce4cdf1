"""Tells Airflow of the page "Back Market"."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin


class BackMarketPlugin(AirflowPlugin):
    """Serves the page below ``/backmarket`` and shows it under Browse."""

    name = "backmarket"

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page in Airflow's navigation, with the path that Airflow itself lies under: its UI adds none."""
        under = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return [
            {
                "name": "Back Market",
                "href": f"{under}/backmarket/",
                "destination": "nav",
                "category": "browse",
                "url_route": "backmarket",
            }
        ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page; a property, so that only the API server loads what it needs."""
        from backmarket.page.app import create_page
        from backmarket.page.connection_port import lend_ports

        lend_ports()
        return [{"name": "Back Market", "url_prefix": "/backmarket", "app": create_page()}]
