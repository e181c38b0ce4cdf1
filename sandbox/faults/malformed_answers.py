"""The answers of switched-on faults. None stands for a connection that is closed without an answer."""

import json
from collections.abc import Callable
from typing import Any

from starlette.responses import RedirectResponse, Response

from sandbox import errors
from sandbox.faults.switches import Fault

_INSTEAD: dict[str, Callable[[], Response | None]] = {
    "429_html": errors.rate_limited,
    "503_cf_ray": lambda: errors.html_page(503, "Service Temporarily Unavailable"),
    "500": lambda: errors.html_page(500, "Server Error (500)"),
    "502_html": lambda: errors.html_page(502, "502: Bad gateway"),
    "firewall_403": errors.firewall,
    "bot_challenge_403": errors.bot_challenge,
    "ignored_200": lambda: errors.json_response({}),
    "html_200": lambda: errors.html_page(200, "Just a moment..."),
    "html_201": lambda: errors.html_page(201, "Just a moment..."),
    "redirect": lambda: RedirectResponse("https://accounts.backmarket.invalid/login", 302),
    "401": errors.unauthorized,
    "403": errors.forbidden,
    "404": errors.unavailable,
    "reset_before": lambda: None,
}


def answer_instead(fault: Fault) -> Response | None:
    """Give what the caller hears in place of Back Market's answer."""
    if fault.kind == "429_retry_after":
        return errors.rate_limited(fault.retry_after)
    return _INSTEAD[fault.kind]()


def spoil(fault: Fault, honest: Response) -> Response | None:
    """Turn Back Market's own answer into what the caller hears."""
    if fault.kind == "reset_after":
        return None
    if fault.kind == "cut_json":
        return _with_body(honest, bytes(honest.body)[: len(honest.body) // 2])
    if fault.kind == "empty_body":
        return _with_body(honest, b"")
    if fault.kind == "short_page":
        return _short_page(honest, fault.rows)
    if fault.kind == "404_last_page":
        return _without_last_page(honest)
    return honest


def with_documents(honest: Response, alter: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """Let `alter` change the order, listing or care folder that an answer shows, or each of a page or a list."""
    if honest.status_code != 200:
        return honest
    try:
        shown = json.loads(bytes(honest.body).decode("utf-8", "surrogatepass"))
    except ValueError:
        return honest
    page = isinstance(shown, dict) and isinstance(shown.get("results"), list)
    rows = shown["results"] if page else shown
    documents = rows if isinstance(rows, list) else [rows]
    altered = [alter(each) if isinstance(each, dict) else each for each in documents]
    if altered == documents:
        return honest
    spoiled = altered if isinstance(rows, list) else altered[0]
    body = json.dumps({**shown, "results": spoiled} if page else spoiled, ensure_ascii=False)
    return _with_body(honest, body.encode("utf-8", "surrogatepass"))


def _with_body(honest: Response, body: bytes) -> Response:
    return Response(body, honest.status_code, media_type="application/json")


def _page(honest: Response) -> dict[str, object] | None:
    try:
        document = json.loads(bytes(honest.body))
    except ValueError:
        return None
    return document if isinstance(document, dict) and "results" in document else None


def _short_page(honest: Response, rows: int | None) -> Response:
    """Drop rows from the end of a page (half of them, or `rows`), with everything else unchanged."""
    page = _page(honest)
    if page is None or not isinstance(page["results"], list):
        return honest
    dropped = (len(page["results"]) + 1) // 2 if rows is None else rows
    page["results"] = page["results"][: max(0, len(page["results"]) - dropped)]
    return errors.json_response(page)


def _without_last_page(honest: Response) -> Response:
    page = _page(honest)
    if page is None or page["next"] is not None:
        return honest
    return errors.not_found("page")
