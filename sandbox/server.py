"""Running a sandbox: in the foreground, or for the length of a `with` block."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.app import create_app
from sandbox.command_line import as_arguments
from sandbox.config import SandboxConfig
from sandbox.gate import TRANSPORT
from sandbox.remote import Sandbox

_START_SECONDS = 60.0
_GRACE_SECONDS = 1
_PROJECT = Path(__file__).resolve().parent.parent


class _Server(uvicorn.Server):
    """Ends at once where nothing is under way; uvicorn takes two tenths of a second, and tests start hundreds."""

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - a signal sets it, from any thread
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)
        await self.lifespan.shutdown()


def make_server(config: SandboxConfig) -> uvicorn.Server:
    """Make a server that has the sandbox write all headers itself (the date is that of its own clock)."""
    return _Server(
        uvicorn.Config(
            _lending_transport(create_app(config)),
            host=config.host,
            port=config.port,
            log_level="warning",
            access_log=False,
            ws="none",
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
    )


def _lending_transport(app: ASGIApp) -> ASGIApp:
    """Hand each request the transport it came by: uvicorn's `send` is a method of the object that knows it."""

    async def lend(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            scope.setdefault("extensions", {})[TRANSPORT] = transport
        await app(scope, receive, send)

    return lend


@contextlib.contextmanager
def running_sandbox(config: SandboxConfig | None = None, *, isolated: bool = False) -> Iterator[Sandbox]:
    """Run a sandbox on a free port (or `config.port`) and give the handle to it.

    It runs in a background thread; `isolated` takes a process of its own, so that a benchmark's client does not
    share the interpreter with it.
    """
    config = config or SandboxConfig()
    runner = _in_process if isolated else _in_thread
    with runner(config) as port:
        yield Sandbox(f"http://{config.host}:{port}", config.token)


@contextlib.contextmanager
def _in_thread(config: SandboxConfig) -> Iterator[int]:
    with socket.create_server((config.host, config.port), backlog=256) as listener:
        server = make_server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=5)


@contextlib.contextmanager
def _in_process(config: SandboxConfig) -> Iterator[int]:
    port = config.port or _free_port(config.host)
    process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
        [sys.executable, "-m", "sandbox", *as_arguments(replace(config, port=port))],
        cwd=_PROJECT,
        env={**os.environ, "PYTHONPATH": str(_PROJECT)},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_open(config.host, port, process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_until_open(host: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the sandbox ended with code {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.01)
    raise RuntimeError("the sandbox did not start")
