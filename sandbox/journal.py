"""What reached the sandbox and how it was answered: the tests' witness."""

import json
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

KEPT_ENTRIES = 20_000


@dataclass(slots=True)
class Entry:
    """One request; `status` None means the connection was closed without an answer.

    `applied` tells whether a write took effect, whatever the caller was told, and `applied_at` when; `over_limit`
    that it came although the traffic limit was reached, `after_stall` that the sandbox itself had stood still shortly
    before, `over_at` since when nothing more becomes of it.
    """

    at: int
    method: str
    path: str
    query: bytes
    raw_headers: list[tuple[bytes, bytes]]
    body: bytearray = field(default_factory=bytearray)
    status: int | None = None
    applied: bool = False
    fault: str | None = None
    applied_at: int | None = None
    over_limit: bool = False
    after_stall: bool = False
    over_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the entry for the control API; the token itself is never shown."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.raw_headers}
        authorized = headers.pop("authorization", None) is not None
        return {
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": dict(parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)),
            "headers": headers,
            "authorized": authorized,
            "body": _readable(bytes(self.body), headers.get("content-type", "")),
            "status": self.status,
            "applied": self.applied,
            "applied_at": self.applied_at,
            "over_at": self.over_at,
            "over_limit": self.over_limit,
            "after_stall": self.after_stall,
            "fault": self.fault,
        }


class Journal:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)

    def add(self, entry: Entry) -> None:
        """Note a request; its entry is completed while it is answered."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def take(self) -> list[dict[str, Any]]:
        """Give the entries of all requests that are over, and forget these."""
        over = [entry.as_json() for entry in self._entries if entry.over_at is not None]
        self._entries = deque((entry for entry in self._entries if entry.over_at is None), maxlen=KEPT_ENTRIES)
        return over

    def as_json(self) -> list[dict[str, Any]]:
        """Give all entries for the control API."""
        return [entry.as_json() for entry in self._entries]


def _readable(body: bytes, content_type: str) -> object:
    """Give a body as JSON where it is that; of a form the texts, and the names and sizes of its files."""
    if not body:
        return None
    if content_type.startswith("multipart/form-data"):
        form = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        return [_part(part) for part in form.walk() if not part.is_multipart()]
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _part(part: Message) -> dict[str, Any]:
    content = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else b""
    name, filename = part.get_param("name", header="content-disposition"), part.get_filename()
    if filename is None:
        return {"name": name, "text": raw.decode("utf-8", "replace")}
    return {"name": name, "filename": filename, "size": len(raw)}
