"""The door in front of every seller endpoint: journal, faults, traffic limits, firewall and token."""

import asyncio
import re
import socket
import struct

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import errors
from sandbox.clock import http_date
from sandbox.faults.malformed_answers import answer_instead, spoil, with_documents
from sandbox.faults.switches import INSTEAD_OF_ANSWER, ON_THE_WAY, ON_TOP_OF_ANSWER, READS, Fault, Seen
from sandbox.journal import Entry
from sandbox.world import World

_USER_AGENT = re.compile(r"BM-[^;\s-][^;]*-[^;]+;\s*[^@;\s]+@[^@;\s]+\.?")
TRANSPORT = "sandbox.transport"
"""The ASGI extension under which the server lends the connection's transport."""

_WINDOW_SECONDS = 10.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Gate:
    """ASGI middleware; only paths below /ws/ pass through it, the control API does not."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/ws/"):
            await self._app(scope, receive, send)
            return
        scope["path"] = scope["path"].rstrip("/")
        visit = _Visit(self._world, scope, receive, send)
        try:
            await self._serve(visit)
        finally:
            visit.leave()

    async def _serve(self, visit: "_Visit") -> None:
        await visit.read()
        if self._world.config.latency_ms:
            await asyncio.sleep(self._world.config.latency_ms / 1000)
        # What is late was counted at the edge in good time: it is held up behind it.
        if self._world.config.rate_limit and not self._within_limits(visit.seen):
            visit.note_over_limit()
        held_up = visit.struck_by(ON_THE_WAY)
        if held_up is not None:
            await asyncio.sleep(held_up.seconds)
        fault = visit.struck_by(INSTEAD_OF_ANSWER)
        refusal = self._refuse(visit) if fault is None or fault.applied else None
        if fault is not None:
            takes_effect = fault.applied and refusal is None
            if takes_effect and not fault.applied_late:
                await visit.capture(self._app)
            await visit.answer(answer_instead(fault))
            if takes_effect and fault.applied_late:
                await asyncio.sleep(fault.seconds)
                await visit.capture(self._app)
        elif refusal is not None:
            await visit.answer(refusal)
        else:
            await self._let_through(visit)

    async def _let_through(self, visit: "_Visit") -> None:
        fault = visit.struck_by(ON_TOP_OF_ANSWER)
        odd = self._world.faults.in_documents(visit.seen)
        if fault is None and not odd:
            await visit.pass_on(self._app)
            return
        answer = await visit.capture(self._app)
        if odd:
            answer = with_documents(answer, lambda document: self._world.faults.alter(document, odd))
        if fault is None:
            await visit.answer(answer)
            return
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        await visit.answer(spoil(fault, answer))

    def _refuse(self, visit: "_Visit") -> Response | None:
        """Tell why a request does not get in: Cloudflare looks first, the application then checks the token."""
        world = self._world
        if visit.is_over_limit:
            return errors.rate_limited()
        if not _USER_AGENT.fullmatch(visit.header(b"user-agent")):
            return errors.firewall()
        if visit.header(b"authorization") != f"Basic {world.config.token}":
            return errors.unauthorized()
        return None

    def _within_limits(self, seen: Seen) -> bool:
        world, path = self._world, seen.path
        if not world.care_limits.admits(seen.method, path, world.clock.now()):
            return False
        if path.startswith("/ws/category/") and not world.category_traffic.admits():
            return False
        if path.startswith("/ws/backbox/") and not world.backbox_traffic.admits():
            return False
        return world.traffic.admits()


class _Visit:
    """One request on its way: its journal entry, its body and its line back to the caller."""

    def __init__(self, world: World, scope: Scope, receive: Receive, send: Send) -> None:
        self._world = world
        self._scope = scope
        self._receive = receive
        self._send = send
        self.path: str = scope["path"]
        self._entry = Entry(
            world.clock.now(), scope["method"], self.path, scope["query_string"], list(scope["headers"])
        )
        world.journal.add(self._entry)
        market = self.header(b"accept-language").strip().lower()
        self.seen = Seen(self._entry.method, self.path, market)

    @property
    def is_over_limit(self) -> bool:
        """Whether it came although the traffic limit was reached: faults do not spare anybody the counting."""
        return self._entry.over_limit

    def note_over_limit(self) -> None:
        """Note that the traffic limit was reached."""
        self._entry.over_limit = True
        self._entry.after_stall = self._world.stalls.is_recent(_WINDOW_SECONDS)

    def leave(self) -> None:
        """Close the journal's entry: nothing more becomes of this request."""
        self._entry.over_at = self._world.clock.now()

    def header(self, name: bytes) -> str:
        """Give one request header, '' when absent."""
        for key, value in self._entry.raw_headers:
            if key == name:
                return value.decode("latin-1")
        return ""

    def struck_by(self, kinds: frozenset[str]) -> Fault | None:
        """Ask for a fault and note it."""
        fault = self._world.faults.strike(kinds, self.seen)
        if fault is not None:
            self._entry.fault = fault.kind
        return fault

    async def read(self) -> None:
        """Take the whole body of a write, for the journal and for the application."""
        if self._entry.method in READS:
            return
        more = True
        while more:
            message = await self._receive()
            self._entry.body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)

    def _replay(self) -> Receive:
        """Give the application a body that was already read, then whatever else comes."""
        given = self._entry.method in READS

        async def again() -> Message:
            nonlocal given
            if given:
                return await self._receive()
            given = True
            return {"type": "http.request", "body": bytes(self._entry.body), "more_body": False}

        return again

    async def pass_on(self, app: ASGIApp) -> None:
        """Let the application answer."""
        await app(self._scope, self._replay(), self._stamped)
        self._note_applied(self._entry.status or 500)

    async def capture(self, app: ASGIApp) -> Response:
        """Let the application answer, to us only."""
        status, headers, body = 500, [], bytearray()

        async def keep(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                body.extend(message.get("body", b""))

        await app(self._scope, self._replay(), keep)
        self._note_applied(status)
        response = Response(bytes(body), status)
        kept = [(name, value) for name, value in headers if name != b"content-length"]
        response.raw_headers = [*kept, (b"content-length", str(len(body)).encode())]
        return response

    def _note_applied(self, status: int) -> None:
        self._entry.applied = self._entry.method not in READS and status < 300
        self._entry.applied_at = self._world.clock.now() if self._entry.applied else None

    async def answer(self, response: Response | None) -> None:
        """Send a response, or hang up when there is none."""
        if response is None:
            await self._hang_up()
        else:
            await response(self._scope, self._receive, self._stamped)

    async def _stamped(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._entry.status = message["status"]
            message["headers"] = [
                *message["headers"],
                (b"date", http_date(self._world.clock.now())),
                (b"server", b"cloudflare"),
                (b"cf-ray", errors.cf_ray().encode()),
                (b"x-request-id", errors.request_id().encode()),
            ]
        await self._send(message)

    async def _hang_up(self) -> None:
        """Close the connection without an answer. ASGI has no word for it: the server lends its transport."""
        transport = self._scope.get("extensions", {}).get(TRANSPORT)
        if transport is None:
            raise ConnectionResetError("the sandbox closed the connection")
        # Who asked may have hung up first.
        if not transport.is_closing():
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass
