"""`make up`: the stack, left running until somebody stops it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from local.bootstrap import STATE
from local.failure import run_command
from local.settings import StackSettings, asked_port, default_port
from local.stack import running_stack

if TYPE_CHECKING:
    from local.stack import Stack


def up() -> int:
    """Run the stack until Ctrl-C, which may come while it starts; fail if one of its parts ends by itself."""
    settings = StackSettings(
        port=asked_port("PORT") or default_port("PORT"),
        sandbox_port=asked_port("SANDBOX_PORT") or default_port("SANDBOX_PORT"),
    )
    with suppress(KeyboardInterrupt), running_stack(settings) as stack:
        say_where_all_is(stack)
        stack.processes.wait_for_ctrl_c()
    print("Stopped.", flush=True)
    return 0


def say_where_all_is(stack: Stack) -> None:
    """Print each address of a stack that runs, and how to log in."""
    print()
    print(f"Airflow      {stack.url}   (user {stack.user}, password {stack.password})")
    print(f"The page     {stack.page_url}   (what runs, what needs you; in Airflow: Browse → Back Market)")
    print(f"Back Market  {stack.sandbox_url}   (a sandbox)")
    print(f"PostgreSQL   {stack.warehouse_uri}")
    print(f"             {stack.own_uri}   (empty: for an account of your own)")
    print(f"Logs         {(STATE / 'logs').relative_to(STATE.parent)}/")
    print('Commands     make airflow ARGS="dags list"   (in another terminal)')


if __name__ == "__main__":
    sys.exit(run_command(up))
