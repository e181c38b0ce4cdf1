"""The page's web application: its addresses, what every answer carries, and what is told where something fails."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from backmarket.page.rendering import render
from backmarket.page.routes import backbox, files, lists, needs, overview, profit, reports, stories
from backmarket.warehouse.snapshot import DatabaseDownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Request
    from fastapi.responses import Response

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_page() -> FastAPI:
    """Build the application. Airflow mounts it below ``/backmarket`` without asking for a login, so it asks itself."""
    app = FastAPI(
        title="Back Market",
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    for each in (overview, needs, lists, backbox, stories, files, reports, profit):
        app.include_router(each.routes)
    app.add_exception_handler(StarletteHTTPException, _tell_refusal)
    app.add_exception_handler(RequestValidationError, _tell_refusal)
    app.add_exception_handler(DatabaseDownError, _tell_database_down)
    app.add_exception_handler(Exception, _tell_failure)
    app.middleware("http")(_add_headers)
    return app


def _tell_refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        return render(request, "problem.html", status=404, title="Not found", text="There is no such page.")
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what this handler is registered for
    titles = {
        401: "Sign in first",
        403: "Not allowed",
        404: "Not found",
        409: "Set elsewhere",
        400: "Not accepted",
        413: "Too large",
    }
    text = "Airflow does not know who you are, or your session is over." if error.status_code == 401 else error.detail
    return render(
        request,
        "problem.html",
        status=error.status_code,
        title=titles.get(error.status_code, "Not possible"),
        text=text,
        sign_in=error.status_code == 401,
    )


def _tell_database_down(request: Request, error: Exception) -> Response:
    return render(request, "problem.html", status=503, title="The database cannot be read", text=str(error))


def _tell_failure(request: Request, error: Exception) -> Response:
    log.error("The page failed: %s", type(error).__name__, exc_info=error)
    text = f"{type(error).__name__}: the API server's log has the details. DAGs are not affected."
    return render(request, "problem.html", status=500, title="This page failed", text=text)


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
