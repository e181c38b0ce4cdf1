"""An HTTP server that answers whatever a test wants, however broken."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def page(self) -> int:
        """The page that was asked for."""
        return int(self.query.get("page", "1"))


@dataclass(frozen=True)
class Reply:
    """What to answer.

    :param body: text, or a document to be written as JSON.
    :param cut: close the connection halfway through the body.
    :param reset: reset the connection without a word.
    :param delay: seconds to let pass before.
    """

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    reset: bool = False
    delay: float = 0.0


Play = Callable[[Seen], Reply]


class HostileServer:
    """Plays a script against its clients and remembers what they did."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.play: Play = lambda _: Reply({})
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, *replies: Reply) -> None:
        """Answer these in turn; the last one for ever."""
        script = list(replies)
        self.play = lambda _: script.pop(0) if len(script) > 1 else script[0]

    def reply_to(self, request: Seen) -> Reply:
        """Take down a request and find its reply."""
        with self._lock:
            self.seen.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            reply = self.play(request)
        time.sleep(reply.delay)
        with self._lock:
            self._at_once -= 1
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    owner: HostileServer
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients go away in the middle on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise each body waits 40 ms for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        url = urlsplit(self.path)
        reply = self.server.owner.reply_to(
            Seen(
                self.command,
                url.path,
                dict(parse_qsl(url.query)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
        )
        if reply.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        body = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        self.send_response_only(reply.status)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.cut else body)
        self.close_connection = self.close_connection or reply.cut

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


def order(order_id: int, **fields: Any) -> dict[str, Any]:
    """Make the smallest order there is."""
    return {"order_id": order_id, "state": 1, "orderlines": [], **fields}


def list_of(total: int, *, size: int = 50, **fields: Any) -> Play:
    """Serve a well-behaved list of orders numbered from 1; `fields` replace those of each page."""

    def play(request: Seen) -> Reply:
        first = (request.page - 1) * size + 1
        numbers = range(first, min(first + size, total + 1))
        if not numbers and request.page > 1:
            return Reply({"error": {"code": "not_found", "message": "page not found"}}, 404)
        following = None if first + size > total else "https://elsewhere.invalid/bm/merchants/users?page=2"
        return Reply({"count": total, "next": following, "results": [order(each) for each in numbers], **fields})

    return play
