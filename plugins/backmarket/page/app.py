"""The page's web application: its addresses, and the template that answers each."""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import get_user, requires_access_view
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException as StarletteHTTPException

from backmarket.concerns import INVENTORY_PRICES, ORDERS, SETTLEMENTS
from backmarket.page import access, formats, settlement_reports
from backmarket.page.place import Place
from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE, dag_id_of
from backmarket.warehouse.snapshot import DatabaseDownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_PREFIX = "/backmarket"
_MOST_LISTED = 500
_MOST_ACCOUNTS_IN_A_LINE = 12
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_TEMPLATES = Environment(
    loader=PackageLoader("backmarket.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What stands beside the search field on every page: a name, the address below the page's own, and whose readers see it.
_NAVIGATION = (("Overview", "/", ""), ("Settlement reports", "/reports", SETTLEMENTS.stem))

_TEMPLATES.globals.update(
    time_ago=formats.time_ago,
    time_to_come=formats.time_to_come,
    exact_time=formats.exact_time,
    day_only=formats.day_only,
    counts_in_words=formats.counts_in_words,
    task_states=formats.TASK_STATES,
    order_states=formats.ORDER_STATES,
    line_states=formats.LINE_STATES,
    publication_states=formats.PUBLICATION_STATES,
)


def _session() -> Iterator[Session]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        yield session


User = Annotated[BaseUser, Depends(get_user)]
Airflow = Annotated[Session, Depends(_session)]


def _place(request: Request, session: Airflow, account: str = "") -> Place:
    """Say whose data it is: the account of the address, or the default one, or the first where there is no such."""
    from backmarket.page.airflow_state import known_accounts

    accounts = known_accounts(session)
    home = DEFAULT_ACCOUNT if DEFAULT_ACCOUNT in accounts else next(iter(accounts), DEFAULT_ACCOUNT)
    place = Place(account or home, accounts.get(account or home, DEFAULT_WAREHOUSE))
    request.state.account, request.state.home, request.state.accounts = place.account, home, accounts
    return place


Where = Annotated[Place, Depends(_place)]


def _readable(request: Request, user: User, where: Where) -> frozenset[str]:
    stems = access.readable_stems(user, where.account)
    readable = request.state.readable = access.require_any(stems, where.account)
    return readable


Readable = Annotated[frozenset[str], Depends(_readable)]


def create_page() -> FastAPI:
    """Build the application. Airflow mounts it below ``/backmarket`` without asking for a login, so it asks itself."""
    app = FastAPI(
        title="Back Market",
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.add_api_route("/", show_overview, response_class=HTMLResponse)
    app.add_api_route("/accounts", show_accounts, response_class=HTMLResponse)
    app.add_api_route("/needs/{name}", show_need, response_class=HTMLResponse)
    app.add_api_route("/orders", find_order, response_class=RedirectResponse)
    app.add_api_route("/orders/{order_id}", show_order, response_class=HTMLResponse)
    app.add_api_route("/skus/{sku:path}", show_sku, response_class=HTMLResponse)
    app.add_api_route("/reports", show_reports, response_class=HTMLResponse)
    app.add_api_route("/reports/period", show_report_of_period, response_class=HTMLResponse)
    app.add_api_route("/reports/runs/{run_id:path}", show_report_of_run, response_class=HTMLResponse)
    app.add_api_route(
        "/variables/{key}",
        change_variable,
        methods=["POST"],
        response_class=RedirectResponse,
        dependencies=[Depends(_readable)],
    )
    app.add_exception_handler(StarletteHTTPException, _tell_refusal)
    app.add_exception_handler(RequestValidationError, _tell_refusal)
    app.add_exception_handler(DatabaseDownError, _tell_database_down)
    app.add_exception_handler(Exception, _tell_failure)
    app.middleware("http")(_add_headers)
    return app


def show_overview(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> HTMLResponse:
    """The page itself."""
    from backmarket.page.overview import REQUESTS_LIMIT, SKU_LINES_LIMIT, gather, log_path

    overview = gather(session, where, readable)
    may_edit = {field: access.may_edit(user, state.key) for field, state in overview.variables.items()}
    return _render(
        request,
        "overview.html",
        status=503 if overview.problem else 200,
        page=overview,
        switch_to=_accounts_to_switch_to(
            user, {*request.state.accounts, *(row["account"] for row in overview.accounts)}
        ),
        log_path=partial(log_path, where.account),
        may_edit=may_edit,
        csrf=access.form_token(user),
        requests_limit=REQUESTS_LIMIT,
        sku_lines_limit=SKU_LINES_LIMIT,
    )


def _accounts_to_switch_to(user: BaseUser, accounts: set[str]) -> list[str]:
    """Return the accounts that the user may see; none where there are too many for a line."""
    if len(accounts) > _MOST_ACCOUNTS_IN_A_LINE:
        return []
    return [account for account in sorted(accounts) if access.readable_stems(user, account)]


def show_accounts(request: Request, user: User, session: Airflow, where: Where) -> HTMLResponse:
    """All accounts, a row each."""
    from backmarket.page.all_accounts import gather_accounts

    rows = gather_accounts(session, partial(access.readable_stems, user))
    access.require_any(frozenset().union(*(row.stems for row in rows)), where.account)
    request.state.readable = access.readable_stems(user, where.account)
    return _render(request, "accounts.html", rows=rows, now=datetime.now(UTC))


def show_need(request: Request, name: str, where: Where, readable: Readable) -> HTMLResponse:
    """All that waits of one kind."""
    from backmarket.page.overview import log_path
    from backmarket.warehouse.needs import read_needs, title_of

    title = title_of(name)
    if not title:
        raise HTTPException(404, "There is no such page.")
    with where.read() as database:
        needs = read_needs(database, readable, most=_MOST_LISTED, only=name)
    need = next(iter(needs), None)
    return _render(
        request, "need.html", title=title, need=need, log_path=partial(log_path, where.account), now=datetime.now(UTC)
    )


def find_order(request: Request, where: Where, q: str = "") -> RedirectResponse:
    """Lead from the search field to a story: a number is an order, anything else a SKU."""
    root, wanted = request.scope["root_path"], q.strip()
    query = _query(request, where)
    if not wanted:
        return RedirectResponse(f"{root}/{query}", status_code=303)
    is_order = re.fullmatch(r"[0-9]{1,18}", wanted) is not None
    return RedirectResponse(
        f"{root}/{'orders' if is_order else 'skus'}/{quote(wanted, safe='')}{query}", status_code=303
    )


def show_order(request: Request, order_id: int, where: Where, readable: Readable) -> HTMLResponse:
    """An order's story."""
    from backmarket.page.stories import LARGEST_BIGINT, order_story

    _require(readable, ORDERS.stem, where)
    if not 0 <= order_id <= LARGEST_BIGINT:
        raise HTTPException(404, "This is no number of an order.")
    with where.read() as database:
        story = order_story(database, order_id, readable)
    return _render(request, "order.html", status=200 if story.head else 404, story=story)


def show_sku(request: Request, sku: str, where: Where, readable: Readable) -> HTMLResponse:
    """A SKU's story."""
    from backmarket.page.stories import sku_story

    if INVENTORY_PRICES.stem not in readable:
        _require(readable, ORDERS.stem, where)
    with where.read() as database:
        story = sku_story(database, sku.replace("\0", ""), readable)
    return _render(request, "sku.html", status=200 if story.known else 404, story=story)


def show_reports(request: Request, where: Where, readable: Readable) -> HTMLResponse:
    """The settlement reports there are, and a form for one of any period."""
    _require(readable, SETTLEMENTS.stem, where)
    return _render(request, "settlement_reports.html", page=settlement_reports.list_reports(where))


def show_report_of_run(run_id: str, where: Where, readable: Readable) -> HTMLResponse:
    """The settlement report that a run has stored; its task links here."""
    _require(readable, SETTLEMENTS.stem, where)
    return HTMLResponse(settlement_reports.stored_report(where, run_id), headers=settlement_reports.HEADERS)


def show_report_of_period(first_day: date, last_day: date, where: Where, readable: Readable) -> HTMLResponse:
    """A settlement report of any period, both days included."""
    _require(readable, SETTLEMENTS.stem, where)
    return HTMLResponse(settlement_reports.report_of(where, first_day, last_day), headers=settlement_reports.HEADERS)


def change_variable(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    key: str,
    value: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Set a Variable from a switch or a field of the page, then show the page again."""
    from backmarket.page import variables

    access.check_form_token(user, csrf)
    if not access.may_edit(user, key):
        raise HTTPException(403, f"You may not change {key}: that needs the right to edit Airflow's Variables.")
    variables.write(session, user, where.account, key, value)
    # Before the answer, after which the page is read again.
    session.commit()
    return RedirectResponse(f"{request.scope['root_path']}/{_query(request, where)}#{key}", status_code=303)


def _query(request: Request, where: Place) -> str:
    """Return what keeps an address on this account; nothing where it is the one that is shown without."""
    return "" if where.account == request.state.home else f"?{urlencode({'account': where.account})}"


def _require(readable: frozenset[str], stem: str, where: Place) -> None:
    if stem not in readable:
        dag_id = dag_id_of(stem, where.account)
        raise HTTPException(403, f"You may not see the runs of {dag_id}. Ask your Airflow administrator.")


def _render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    root: str = request.scope.get("root_path", "")
    readable: frozenset[str] = getattr(request.state, "readable", frozenset())
    account: str = getattr(request.state, "account", DEFAULT_ACCOUNT)
    here = {
        "root": root,
        "airflow": root.removesuffix(_PREFIX),
        "path": request.url.path.removeprefix(root),
        "navigation": [(name, address) for name, address, stem in _NAVIGATION if not stem or stem in readable],
        "accounts": list(getattr(request.state, "accounts", ())),
        "home": getattr(request.state, "home", DEFAULT_ACCOUNT),
        "account": account,
        "dag_of": partial(dag_id_of, account=account),
    }
    html = _TEMPLATES.get_template(template).render(**here, **values)
    return HTMLResponse(html, status_code=status)


def _tell_refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        return _render(request, "problem.html", status=404, title="Not found", text="There is no such page.")
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what this handler is registered for
    titles = {401: "Sign in first", 403: "Not allowed", 404: "Not found", 409: "Set elsewhere", 400: "Not accepted"}
    text = "Airflow does not know who you are, or your session is over." if error.status_code == 401 else error.detail
    return _render(
        request,
        "problem.html",
        status=error.status_code,
        title=titles.get(error.status_code, "Not possible"),
        text=text,
        sign_in=error.status_code == 401,
    )


def _tell_database_down(request: Request, error: Exception) -> Response:
    return _render(request, "problem.html", status=503, title="The database cannot be read", text=str(error))


def _tell_failure(request: Request, error: Exception) -> Response:
    log.error("The page failed: %s", type(error).__name__, exc_info=error)
    text = f"{type(error).__name__}: the API server's log has the details. DAGs are not affected."
    return _render(request, "problem.html", status=500, title="This page failed", text=text)


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
