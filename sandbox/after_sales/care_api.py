"""Reading care folders: `GET /ws/sav` and `GET /ws/sav/{id}`."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.after_sales.care_documents import detailed, listed
from sandbox.after_sales.model import CLOSED, OPEN, CareFolder
from sandbox.clock import to_micros
from sandbox.errors import error_v1, json_response, not_found
from sandbox.paging import DEFAULT_PAGE_SIZE, page_of_size, serve_page
from sandbox.world import world_of

_MINUTE = re.compile(r"\d{4}(-\d{2}){4}", re.ASCII)
_STATES = {str(OPEN): OPEN, str(CLOSED): CLOSED}

Test = Callable[[CareFolder], bool]


async def list_folders(request: Request) -> Response:
    """Serve ten of the folders that match, newest first; nobody can ask for another number."""
    world = world_of(request)
    page = page_of_size(request, DEFAULT_PAGE_SIZE)
    if isinstance(page, Response):
        return page
    try:
        tests = [_TESTS[name](text) for name, text in request.query_params.items() if name in _TESTS]
    except ValueError as mistake:
        return error_v1(400, "bad_request", str(mistake))
    found = [folder for folder in world.after_sales.folders.values() if all(test(folder) for test in tests)]
    found.sort(key=lambda folder: folder.id, reverse=True)
    rows = []
    for folder in found[page.start : page.start + page.size]:
        order = world.orders.document(folder.order_id)
        if order is not None:
            rows.append(json.dumps(listed(folder, order), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return serve_page(request, world, page, len(found), rows, count_page=True)


async def get_folder(request: Request) -> Response:
    """Serve one folder with its claim, its conversation and its order."""
    world = world_of(request)
    folder = world.after_sales.folders.get(request.path_params["folder_id"])
    if folder is None:
        return not_found("care folder")
    order, line = world.orders.line(folder.orderline_id)
    if order is None or line is None:
        return not_found("orderline")
    return json_response(detailed(folder, order, line, world.listings.by_sku(line["listing"])))


def _higher_id(text: str) -> Test:
    bound = _integer("last_id", text)
    return lambda folder: folder.id > bound


def _in_state(text: str) -> Test:
    if text not in _STATES:
        raise ValueError(f"state {text} is none of 0, 9")
    return lambda folder: folder.state == _STATES[text]


def _of_line(text: str) -> Test:
    wanted = _integer("orderline", text)
    return lambda folder: folder.orderline_id == wanted


def _modified_after(text: str) -> Test:
    bound = _minute("last_modification_date", text)
    return lambda folder: folder.modified > bound


def _message_after(text: str) -> Test:
    bound = _minute("last_message_date", text)
    return lambda folder: folder.last_message > bound


_TESTS: dict[str, Callable[[str], Test]] = {
    "last_id": _higher_id,
    "state": _in_state,
    "orderline": _of_line,
    "last_modification_date": _modified_after,
    "last_message_date": _message_after,
}


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{name} {text} is not an integer")
    return int(text)


def _minute(name: str, text: str) -> int:
    """Read `YYYY-MM-DD-hh-mm`, the one format that these filters know, as UTC."""
    if not _MINUTE.fullmatch(text):
        raise ValueError(f"{name} {text} is not of the format YYYY-MM-DD-hh-mm")
    return to_micros(datetime.strptime(text, "%Y-%m-%d-%H-%M").replace(tzinfo=UTC))


routes = [
    Route("/ws/sav", list_folders),
    Route("/ws/sav/{folder_id:int}", get_folder),
]
