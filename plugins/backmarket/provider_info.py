"""What Airflow is told of this package: what it holds, the connection type with its form, the configuration section."""

from __future__ import annotations

from typing import Any

from backmarket.api.markets import MARKETS
from backmarket.concerns import CONCERNS

SCHEDULES = {
    concern.schedule_option: (concern.cron, f"backmarket_{concern.stem}: how often {concern.what}")
    for concern in CONCERNS
    if concern.cron
}

WAITS = {
    "retry_delay_seconds": ("30", "how long a failed task waits before it is tried again"),
    "in_flight_seconds": (
        "30",
        "how long a request without an answer may be on its way, before it is read back for good",
    ),
    "batch_wait_seconds": ("300", "how long a run waits for a batch of new listings before it leaves it to the next"),
    "batch_deadline_seconds": ("2700", "how long a batch may take, and what a lost one changed may show"),
    "price_batch_wait_seconds": ("120", "how long a run waits for a batch of prices before it leaves it to the next"),
    "batch_poll_seconds": ("30", "how long to wait between two looks at a batch"),
}


VERSION = "0.1.0"
# The date of every file in the wheel, in seconds: what hatchling gives a build that is to be reproducible.
SOURCE_DATE_EPOCH = 1580601600
OPERATORS = (
    "account",
    "accounts_file",
    "after_sales",
    "alerts",
    "approval",
    "backbox",
    "care_message",
    "gate",
    "inventory_prices",
    "items_check",
    "listings",
    "orders",
    "prepare_warehouse",
    "price_approval",
    "questions",
    "refund_approval",
    "repricing",
    "seller_files",
    "sending",
    "settlements",
    "tracking_imei",
)

_NAME = "Back Market"


def get_provider_info() -> dict[str, Any]:
    """Answer Airflow's provider discovery (entry point group ``apache_airflow_provider``)."""
    return {
        "package-name": "backmarket-airflow",
        "name": _NAME,
        "description": "Run a Back Market seller account from Apache Airflow.",
        "versions": [VERSION],
        "source-date-epoch": SOURCE_DATE_EPOCH,
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://api.backmarket.dev/", "tags": ["service"]}
        ],
        "operators": [{"integration-name": _NAME, "python-modules": _modules("operators", *OPERATORS)}],
        "hooks": [{"integration-name": _NAME, "python-modules": _modules("hooks", "backmarket")}],
        "triggers": [{"integration-name": _NAME, "python-modules": _modules("triggers", "batch")}],
        "notifications": ["backmarket.failure_alert.BackMarketFailureAlert"],
        "extra-links": ["backmarket.operators.settlements.BackMarketSettlementReportLink"],
        "asset-uris": [{"schemes": ["backmarket"], "handler": "backmarket.assets.sanitize_uri"}],
        "connection-types": [_CONNECTION_TYPE],
        "config": {"backmarket": _CONFIG_SECTION},
    }


def _modules(layer: str, *names: str) -> list[str]:
    return [f"backmarket.{layer}.{name}" for name in names]


_SECTION = "Market and user agent"

_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "backmarket",
    "hook-class-name": "backmarket.hooks.backmarket.BackMarketHook",
    "hook-name": "Back Market",
    "ui-field-behaviour": {
        "hidden-fields": ["login", "schema", "extra", "port"],
        "relabeling": {"host": "Platform", "password": "Token"},
        "placeholders": {
            "host": "https://www.backmarket.fr",
            "password": "the token from Back Office → Options → API",
        },
    },
    # Without defaults, which Airflow would store unseen from the folded section; so both have to be given.
    "conn-fields": {
        "market": {
            "label": "Market",
            "description": "Your home market: the language and country of what Back Market answers, such as fr-fr.",
            "schema": {"type": "string", "enum": list(MARKETS), "section": _SECTION},
        },
        "user_agent": {
            "label": "User agent",
            "description": (
                "BM-{Company}-{Integration};{email} with your own company and address, as in "
                "BM-Acme-Airflow;ops@acme.fr. Back Market's firewall lets nobody in without."
            ),
            "schema": {"type": "string", "minLength": 1, "section": _SECTION},
        },
    },
}

_CONFIG_SECTION: dict[str, Any] = {
    "description": (
        "Back Market: when each DAG runs (a cron expression in UTC; restart the DAG processor after), and how long "
        "it waits."
    ),
    "options": {
        option: {
            "description": description,
            "type": "string",
            "version_added": "0.1.0",
            "example": default,
            "default": default,
        }
        for option, (default, description) in {**SCHEDULES, **WAITS}.items()
    },
}
