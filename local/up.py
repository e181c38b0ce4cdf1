"""`make up`: the stack, left running until somebody stops it."""

from __future__ import annotations

import sys

from local.bootstrap import PROJECT
from local.failure import run_command
from local.settings import StackSettings, asked_port, default_port
from local.stack import running_stack


def up() -> int:
    """Run the stack until Ctrl-C; fail if one of its parts ends by itself."""
    settings = StackSettings(
        port=asked_port("PORT") or default_port("PORT"),
        sandbox_port=asked_port("SANDBOX_PORT") or default_port("SANDBOX_PORT"),
    )
    with running_stack(settings) as stack:
        print()
        print(f"Airflow      {stack.url}   (user {stack.user}, password {stack.password})")
        print(f"Back Market  {settings.sandbox_url}   (a sandbox)")
        print(f"PostgreSQL   {stack.warehouse_uri}")
        print(f"Logs         {(settings.state / 'logs').relative_to(PROJECT)}/")
        stack.processes.wait_for_ctrl_c()
    print("Stopped.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(up))
