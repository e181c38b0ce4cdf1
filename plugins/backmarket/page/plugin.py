"""Tells Airflow of the page "Back Market"."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class BackMarketPlugin(AirflowPlugin):
    """Serves the page below ``/backmarket`` and shows it under Browse."""

    name = "backmarket"
    external_views = [  # noqa: RUF012 - as Airflow's own class declares it
        {
            "name": "Back Market",
            "href": "/backmarket/",
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
