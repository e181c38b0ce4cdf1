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
    size = request.query_params.get("page-size")
    page = page_of_size(request, DEFAULT_PAGE_SIZE)
    if size is None or isinstance(page, Response):
        return page
    if not size.isdecimal() or not 1 <= int(size) <= MAX_PAGE_SIZE:
        return error_v1(400, "bad_request", f"page-size {size} must be between 1 and {MAX_PAGE_SIZE}")
    return Page(page.number, int(size))


def page_of_size(request: Request, size: int) -> Page | Response:
    """Read the page's number, or give the refusal, where the size is not for the seller to choose."""
    number = request.query_params.get("page", "1")
    if not number.isdecimal() or int(number) < 1:
        return error_v1(400, "bad_request", f"page {number} is not a page number")
    return Page(int(number), size)


def serve_page(
    request: Request, world: World, page: Page, count: int, rows: Sequence[bytes], *, count_page: bool = False
) -> Response:
    """Wrap serialised rows of `count` in all; a page beyond the last one does not exist.

    `count_page` lets the answer's `count` be that of the page alone, as the list of care folders has it.
    """
    if page.start >= count and page.number > 1:
        return not_found("page")
    following = _link(request, world, page.number + 1) if page.start + page.size < count else None
    previous = _link(request, world, page.number - 1) if page.number > 1 else None
    shown = len(rows) if count_page else count
    head = f'{{"count":{shown},"next":{json.dumps(following)},"previous":{json.dumps(previous)},"results":['
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
