"""`make cluster`: Airflow on two workers, left running until somebody stops it."""

from __future__ import annotations

import sys
from contextlib import closing

from cluster.stack import WORKERS, running_cluster
from local.bootstrap import PROJECT, STATE
from local.failure import run_command
from local.settings import StackSettings, asked_port, free_port
from sandbox.config import SandboxConfig

_ARRIVALS_PER_MINUTE = 2.0


def main() -> int:
    """Run the cluster until Ctrl-C; fail if one of its parts ends by itself."""
    settings = StackSettings(
        port=asked_port("PORT") or free_port(),
        sandbox_port=asked_port("SANDBOX_PORT") or free_port(),
        state=STATE / "cluster",
    )
    config = SandboxConfig(state_file=settings.state / "sandbox.sqlite", arrivals_per_minute=_ARRIVALS_PER_MINUTE)
    with running_cluster(settings, config) as cluster:
        with closing(cluster.api()) as api:
            api.unpause()
        print()
        print(f"Airflow      {cluster.url}   (user {cluster.user}, password {cluster.password})")
        print(f"Back Market  {cluster.sandbox.base_url}   (a sandbox)")
        print(f"PostgreSQL   {cluster.warehouse_uri}")
        print(f"Redis        {cluster.broker.url}")
        for name in WORKERS:
            print(f"{name:12} logs of its tasks: {cluster.machines[name].home / 'logs'}")
        print(f"Logs         {(settings.state / 'logs').relative_to(PROJECT)}/")
        cluster.processes.wait_for_ctrl_c()
    print("Stopped.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
