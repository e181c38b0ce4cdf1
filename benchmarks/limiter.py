"""What a server counts within any ten seconds, while two processes send as fast as their shared limit allows.

The server is real, on a socket of this machine, and takes each request up to 300 ms after it was sent, as if that were
its way; it counts what has arrived. The limit is kept in PostgreSQL. ``python -m benchmarks.limiter 300`` sends for
so many seconds; ``python -m tests.simulate_arrivals`` finds margins by a simulated clock.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import uniform

from psycopg_pool import ConnectionPool

from backmarket.api.throttle import CATALOG_RATES, DELAY, GENERAL_RATES, Throttle
from backmarket.warehouse.rate_limit import shared_bucket
from local.postgres import embedded_postgres

PROJECT = Path(__file__).resolve().parents[1]
LIMIT, WINDOW_SECONDS = 200, 10
PROCESSES, THREADS = 2, 8


def main(seconds: int) -> int:
    """Send for so many seconds; print what arrived, and answer whether the limit was kept."""
    arrivals: list[float] = []
    with tempfile.TemporaryDirectory() as folder, embedded_postgres(Path(folder)) as uri:
        port = _serve(arrivals)
        command = [sys.executable, "-m", "benchmarks.limiter", str(port), uri, str(seconds)]
        senders = [subprocess.Popen(command, cwd=PROJECT) for _ in range(PROCESSES)]
        failures = [sender.wait() for sender in senders]
    if any(failures):
        raise SystemExit(f"a sender failed with {max(failures)}")
    arrivals.sort()
    breaches = sum(last - first <= WINDOW_SECONDS for first, last in zip(arrivals, arrivals[LIMIT:], strict=False))
    fullest = max(sum(0 <= each - first <= WINDOW_SECONDS for each in arrivals) for first in arrivals)
    rate = GENERAL_RATES[0]
    print(
        f"{rate.limit} in {rate.interval / 1000} s: {len(arrivals):,} requests in {arrivals[-1] - arrivals[0]:.0f} s, "
        f"{breaches} beyond {LIMIT} in {WINDOW_SECONDS} s; the fullest window held {fullest}"
    )
    return int(breaches > 0)


def _serve(arrivals: list[float]) -> int:
    """Start the server in a thread, and return its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await asyncio.sleep(uniform(0, DELAY))  # noqa: S311 - no secret
            arrivals.append(time.monotonic())
            writer.write(b"\n")
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, sock=listener)
        await server.serve_forever()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=asyncio.run, args=[serve()], daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def send(port: int, uri: str, seconds: int) -> None:
    """Send from several threads, each over a connection of its own."""
    ends_at = time.monotonic() + seconds

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while time.monotonic() < ends_at:
                throttle.acquire()
                connection.sendall(b"\n")
                connection.recv(1)

    with ConnectionPool(uri, min_size=1, max_size=1) as pool:
        throttle = Throttle(
            shared_bucket(pool, "bench", "general", GENERAL_RATES),
            shared_bucket(pool, "bench", "catalog", CATALOG_RATES),
        )
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        send(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(*map(int, sys.argv[1:] or ["300"])))
