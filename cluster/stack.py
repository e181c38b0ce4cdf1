"""Airflow with CeleryExecutor on two workers, PostgreSQL, Redis and a local Back Market, started and ended together."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backmarket.concerns import STEMS
from backmarket.seller_account import dag_id_of
from cluster.machines import Machine
from cluster.redis import broker, redis_server
from local.airflow_api import AirflowApi
from local.airflow_env import ADMIN, airflow_environment, backmarket_connection, load_secrets, program
from local.bootstrap import CLUSTER_RUNS, PROJECT, STACK_LOCK
from local.failure import LocalError
from local.lock import held
from local.postgres import embedded_postgres, ensure_database
from local.processes import supervised
from local.stack import ending_in_order, prepare_airflow, progress, wait_until_healthy
from local.variables import INVOICES, SELLER, variables_of
from sandbox.command_line import as_arguments
from sandbox.remote import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cluster.redis import Broker
    from local.processes import Processes
    from local.settings import StackSettings
    from sandbox.config import SandboxConfig

WORKERS = ("worker-1", "worker-2")
_CONTROL = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    # Last, so that it ends first.
    "scheduler": ("scheduler", "--skip-serve-logs"),
}
_TASKS_OF_A_WORKER = 2
# What each task's process would read anew, half a second long, is read by the worker that forks them.
_READ_ONCE = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.postgres.hooks.postgres",
    "backmarket.hooks.backmarket",
    "backmarket.services.order_changes",
)
_START_SECONDS = 60.0

NOTICED_SOON = {
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "5",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "30",
}
"""What makes Airflow notice a death in seconds; docs/operations/workers.md has the values of a production."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    :param url: Airflow's address.
    :param user: Airflow's administrator.
    :param password: of that user.
    :param warehouse_uri: the operational database.
    :param metadata_uri: Airflow's own database.
    :param inbox: the one folder that all machines see, as they would a bucket: where settlement statements land.
    :param machines: the control machine and the workers, by name.
    """

    url: str
    user: str
    password: str
    warehouse_uri: str
    metadata_uri: str
    sandbox: Sandbox
    inbox: Path
    machines: Mapping[str, Machine]
    processes: Processes
    broker: Broker
    environment: Mapping[str, str]

    def api(self) -> AirflowApi:
        """Log in."""
        return AirflowApi(self.url, self.user, self.password)

    def kill(self, part: str) -> None:
        """Kill a part and all its processes, as a power cut does: a worker, `scheduler`, `triggerer` or `redis`."""
        self.processes.kill(part)

    def start(self, part: str) -> None:
        """Start a part, for the first time or again."""
        if part == "redis":
            self.broker.start()
            return
        machine = self.machines[part if part in WORKERS else "control"]
        arguments = _worker(part) if part in WORKERS else _CONTROL[part]
        # Back Market's own record then tells which machine has sent what.
        connection = backmarket_connection(self.sandbox.base_url, self.sandbox.token, sender=machine.name)
        own = {**self.environment, **machine.environment(), "AIRFLOW_CONN_BACKMARKET_DEFAULT": connection}
        self.processes.start(part, [program("airflow"), *arguments], own, folder=machine.working_folder)

    def wait_until_workers_are_ready(self) -> None:
        """Wait until both workers take tasks.

        :raises LocalError: if one ends or does not come up.
        """
        with progress("Starting the workers"):
            deadline = time.monotonic() + _START_SECONDS
            while not all(" ready." in self.processes.log(name).read_text(errors="replace") for name in WORKERS):
                self.processes.check()
                if time.monotonic() > deadline:
                    raise LocalError(f"A worker is not ready after {_START_SECONDS:.0f} s.")
                time.sleep(0.25)


@contextmanager
def running_cluster(
    settings: StackSettings, config: SandboxConfig, *, environment: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Run a cluster for the length of the block: all toggles on, all DAGs known and, at first, paused.

    :param config: of the sandbox; its port and token are chosen here.
    :param environment: variables for all machines, over ours.
    :raises LocalError: if it cannot start: a program is missing, it runs already, a part does not come up.
    """
    redis_server()
    with (
        held(settings.state / STACK_LOCK, CLUSTER_RUNS),
        ending_in_order(),
        tempfile.TemporaryDirectory(prefix="backmarket-cluster-") as folder,
        supervised(settings.state) as processes,
        embedded_postgres(settings.state / "postgres") as uri,
    ):
        secrets = load_secrets(settings.state)
        inbox = settings.state / "inbox"
        inboxes = settings.state / "inboxes"
        inbox.mkdir(exist_ok=True)
        for name in (SELLER, INVOICES):
            (inboxes / name).mkdir(parents=True, exist_ok=True)
        metadata_uri, warehouse_uri = ensure_database(uri, "airflow"), ensure_database(uri, "backmarket")
        common = airflow_environment(settings, secrets, metadata_uri=metadata_uri, warehouse_uri=warehouse_uri)
        queue = broker(processes, settings.state / "redis")
        common |= _celery(queue.url, metadata_uri)
        common |= {f"AIRFLOW__{name}": value for name, value in NOTICED_SOON.items()} | dict(environment or {})
        machines = {name: Machine(Path(folder) / name) for name in ("control", *WORKERS)}
        for machine in machines.values():
            machine.deploy()
        sandbox = Sandbox(settings.sandbox_url, secrets["sandbox_token"])
        cluster = Cluster(
            settings.url,
            ADMIN,
            secrets["admin_password"],
            warehouse_uri,
            metadata_uri,
            sandbox,
            inbox,
            machines,
            processes,
            queue,
            common,
        )
        config = replace(config, port=settings.sandbox_port, token=sandbox.token)
        processes.start("sandbox", [sys.executable, "-m", "sandbox", *as_arguments(config)], common, folder=PROJECT)
        cluster.start("redis")
        prepare_airflow(settings.state, processes, common, variables={})
        for part in (*WORKERS, *_CONTROL):
            cluster.start(part)
        wait_until_healthy(settings.url, processes)
        cluster.wait_until_workers_are_ready()
        with closing(cluster.api()) as api:
            own = {"backmarket_settlement_inbox": inbox.as_uri(), "backmarket_backbox_requests_an_hour": "6"}
            api.add_variables(variables_of(inboxes) | own)
            _wait_until_parsed(api, processes)
        try:
            yield cluster
        finally:
            # Before the databases, which they use to the last.
            processes.end()


def _wait_until_parsed(api: AirflowApi, processes: Processes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not api.knows(map(dag_id_of, STEMS)):
        processes.check()
        if time.monotonic() > deadline:
            raise LocalError(f"Airflow found not all DAGs within {_START_SECONDS:.0f} s: {api.import_errors()}")
        time.sleep(0.25)


def _celery(broker_url: str, metadata_uri: str) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "16",
        "AIRFLOW__CELERY__BROKER_URL": broker_url,
        "AIRFLOW__CELERY__RESULT_BACKEND": metadata_uri.replace("postgresql://", "db+postgresql+psycopg2://", 1),
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": _READ_ONCE}),
        # Until the seller's tables are filled.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        # The copies of the DAGs never change.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
    }


def _worker(name: str) -> tuple[str, ...]:
    # Serving its logs would take a port of all networks.
    return (
        *("celery", "worker", "--skip-serve-logs", "--without-gossip", "--without-mingle"),
        *("--celery-hostname", f"{name}@localhost", "--concurrency", str(_TASKS_OF_A_WORKER)),
    )
