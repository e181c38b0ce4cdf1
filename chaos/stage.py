"""The stage: a sandbox in a process of its own, a PostgreSQL, and what Airflow reads from the environment.

Nothing here imports Airflow: it reads its settings once, when it is first imported.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from local.postgres import embedded_postgres, ensure_database
from local.variables import TOGGLES
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from chaos.options import Options
    from sandbox.remote import Sandbox

PROJECT = Path(__file__).resolve().parents[1]
MARKETS = ("fr-fr", "de-de", "en-gb")
BATCH_SECONDS = 0.6
REFUNDS_BY_THEMSELVES = 300
BACKBOX_REQUESTS = 8

WAITS = {
    "retry_delay_seconds": "0",
    "in_flight_seconds": "2",
    "batch_wait_seconds": "6",
    "batch_deadline_seconds": "15",
    "price_batch_wait_seconds": "6",
    "batch_poll_seconds": "0.3",
}
"""What makes a run wait, shortened as anybody may by configuration; the sandbox is faster than all of them."""

_MOST_SKEW = timedelta(seconds=90)


@dataclass(frozen=True)
class Stage:
    """Where everything is.

    :param folder: logs, databases and statements of this chaos.
    :param warehouse_uri: the operational database.
    """

    folder: Path
    sandbox: Sandbox
    warehouse_uri: str

    @property
    def inbox(self) -> Path:
        """Where settlement statements land."""
        return self.folder / "inbox"

    @property
    def seller_inbox(self) -> Path:
        """Where files land that fill the seller's tables."""
        return self.folder / "files"

    @property
    def invoices(self) -> Path:
        """Where customers' invoices lie."""
        return self.folder / "invoices"

    @property
    def logs(self) -> Path:
        """One file for each run: all that its process wrote."""
        return self.folder / "runs"

    @property
    def metadata_template(self) -> Path:
        """Airflow's own database, migrated, of which each run gets a copy."""
        return self.folder / "airflow.db"

    def connection_of(self, run: str) -> str:
        """Write the connection `backmarket_default`; its user agent names the run, so that the journal does."""
        extra = {"market": MARKETS[0], "user_agent": f"BM-Chaos-Airflow;{run}@example.com"}
        fields = {"conn_type": "backmarket", "host": self.sandbox.base_url, "password": self.sandbox.token}
        return json.dumps({**fields, "extra": extra})

    def crash_database(self) -> str | None:
        """Kill one of PostgreSQL's sessions with SIGKILL: the server ends all others and recovers from its log.

        A session that is merging is chosen where there is one.

        :return: the beginning of the statement that was running; None where nobody was connected any more.
        """
        query = """
            select pid, query from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database()
            order by state = 'idle', not (query ~* 'merge|copy|insert into|update '), random() limit 1
        """
        try:
            with psycopg.connect(self.warehouse_uri, autocommit=True, connect_timeout=5) as connection:
                found = connection.execute(query.encode()).fetchone()
        except psycopg.OperationalError:
            return None
        if found is None:
            return None
        try:
            os.kill(found[0], signal.SIGKILL)
        except ProcessLookupError:
            # It had ended by then.
            return None
        return " ".join(found[1].split())[:60]


@contextmanager
def open_stage(options: Options, rng: Random) -> Iterator[Stage]:
    """Start the servers, set the environment, and stop and remove all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="backmarket-chaos-"))
    skew = rng.uniform(-1, 1) * _MOST_SKEW
    config = SandboxConfig(
        seed=options.seed,
        orders=options.orders,
        listings=options.listings,
        token=secrets.token_urlsafe(24),
        batch_seconds=BATCH_SECONDS,
        now=datetime.now(UTC) + skew,
    )
    try:
        with (
            # Durable: a crash must not take back what was committed.
            embedded_postgres(folder / "postgres", durable=True) as uri,
            running_sandbox(config, isolated=True) as sandbox,
        ):
            stage = Stage(folder, sandbox, ensure_database(uri, "warehouse"))
            for path in (stage.inbox, stage.seller_inbox, stage.invoices, stage.logs):
                path.mkdir()
            os.environ.update(_environment(stage))
            # The package of this checkout, wherever an installed one lies.
            sys.path.insert(0, str(PROJECT / "plugins"))
            subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
            yield stage
    finally:
        if options.keep:
            print(f"The logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _environment(stage: Stage) -> dict[str, str]:
    paths = [str(PROJECT), str(PROJECT / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
    values = {
        "markets": json.dumps(MARKETS),
        "settlement_inbox": stage.inbox.as_uri(),
        "seller_inbox": stage.seller_inbox.as_uri(),
        "ship_by_alert_hours": "-10000",
        "zero_guard_pct": "100",
        "invoice_folder": stage.invoices.as_uri(),
        # However many there are in a day; dear devices wait for a person.
        "refund_approval_above": str(REFUNDS_BY_THEMSELVES),
        "refund_approval_above_a_day": "",
        "backbox_requests_an_hour": str(BACKBOX_REQUESTS),
        # A price moves whenever its competitors do.
        "repricing_ask_margin_pct": "5",
        "repricing_auto_margin_pct": "5",
        "repricing_cooldown_minutes": "0",
        "repricing_moves_a_day": "1000",
        "repricing_climb_rest_hours": "0",
    }
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "AIRFLOW_HOME": str(stage.folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{stage.metadata_template}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(stage.folder / "logs"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW_CONN_BACKMARKET_WAREHOUSE": stage.warehouse_uri.replace("postgresql://", "postgres://"),
        "AIRFLOW_CONN_BACKMARKET_DEFAULT": stage.connection_of("nobody"),
        **{f"AIRFLOW__BACKMARKET__{name.upper()}": value for name, value in WAITS.items()},
        **{f"AIRFLOW_VAR_{name.upper()}": "true" for name in TOGGLES},
        **{f"AIRFLOW_VAR_BACKMARKET_{name.upper()}": value for name, value in values.items()},
    }
