"""Pages as Back Market serves them: `page` and `page-size`, 10 rows by default, 50 at most."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox.errors import error_v1, not_found
from sandbox.world import World

MAX_PAGE_SIZE = 50
DEFAULT_PAGE_SIZE = 10


@dataclass(frozen=True)
class Page:
    """The part of a list that was asked for; numbers start at 1."""

    number: int
    size: int

    @property
    def start(self) -> int:
        """Index of its first row."""
        return (self.number - 1) * self.size


def wanted_page(request: Request) -> Page | Response:
    """Read the two parameters, or give the refusal."""
    number, size = request.query_params.get("page", "1"), request.query_params.get("page-size")
    if not number.isdecimal() or int(number) < 1:
        return error_v1(400, "bad_request", f"page {number} is not a page number")
    if size is None:
        return Page(int(number), DEFAULT_PAGE_SIZE)
    if not size.isdecimal() or not 1 <= int(size) <= MAX_PAGE_SIZE:
        return error_v1(400, "bad_request", f"page-size {size} must be between 1 and {MAX_PAGE_SIZE}")
    return Page(int(number), int(size))


def serve_page(request: Request, world: World, page: Page, count: int, rows: Sequence[bytes]) -> Response:
    """Wrap serialised rows; a page beyond the last one does not exist."""
    if page.start >= count and page.number > 1:
        return not_found("page")
    following = _link(request, world, page.number + 1) if page.start + page.size < count else None
    previous = _link(request, world, page.number - 1) if page.number > 1 else None
    head = f'{{"count":{count},"next":{json.dumps(following)},"previous":{json.dumps(previous)},"results":['
    return Response(head.encode() + b",".join(rows) + b"]}", media_type="application/json")


def _link(request: Request, world: World, number: int) -> str:
    """Give an absolute URL of another page.

    The public examples show links to another path, and proxies leave internal host names in them. So every other
    link here names a foreign host (one that can never resolve) and an unrelated path: whoever follows links
    instead of counting pages is found out.
    """
    if number % 2:
        return f"https://gateway.backmarket.invalid/bm/merchants/users?page={number}"
    return str(request.url.replace(scheme="https", netloc=world.platform.host).include_query_params(page=number))
