"""The page's web application: its addresses, and the template that answers each."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import get_user, requires_access_view
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException as StarletteHTTPException

from backmarket.concerns import INVENTORY_PRICES, LISTINGS, ORDERS, PRICE_APPROVAL, SETTLEMENTS
from backmarket.page import access, formats, lists, settlement_reports
from backmarket.page.place import Place
from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE, dag_id_of
from backmarket.warehouse.snapshot import DatabaseDownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_PREFIX = "/backmarket"
_MOST_ACCOUNTS_IN_A_LINE = 12
_MOST_WORKED_OFF = 500
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
_NAVIGATION = (
    ("Overview", "/", ""),
    ("Orders", "/orders", ORDERS.stem),
    ("Listings", "/listings", LISTINGS.stem),
    ("Worked off", "/worked-off", ""),
    ("Settlement reports", "/reports", SETTLEMENTS.stem),
)

_TEMPLATES.filters["breakable"] = formats.breakable
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


class TypedValue(NamedTuple):
    """A value that a person has typed and that cannot be used.

    :param problem: why not, and what can be.
    """

    key: str
    text: str
    problem: str


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
    app.add_api_route("/needs/approvals", show_approvals, response_class=HTMLResponse)
    app.add_api_route("/needs/approvals", decide_prices, methods=["POST"], response_class=RedirectResponse)
    app.add_api_route("/needs/{name}", show_need, response_class=HTMLResponse)
    app.add_api_route("/needs/{name}", work_off_need, methods=["POST"], response_class=RedirectResponse)
    app.add_api_route("/worked-off", show_worked_off, response_class=HTMLResponse)
    app.add_api_route("/worked-off", take_back, methods=["POST"], response_class=RedirectResponse)
    app.add_api_route("/orders", show_orders, response_class=HTMLResponse)
    app.add_api_route("/listings", show_listings, response_class=HTMLResponse)
    app.add_api_route("/search", search, response_class=HTMLResponse)
    app.add_api_route("/orders/{order_id}", show_order, response_class=HTMLResponse)
    app.add_api_route("/skus/{sku:path}", show_sku, response_class=HTMLResponse)
    app.add_api_route("/reports", show_reports, response_class=HTMLResponse)
    app.add_api_route("/reports/period", show_report_of_period, response_class=HTMLResponse)
    app.add_api_route("/reports/runs/{run_id:path}", show_report_of_run, response_class=HTMLResponse)
    app.add_api_route(
        "/variables/{key}",
        change_variable,
        methods=["POST"],
        response_class=HTMLResponse,
    )
    app.add_exception_handler(StarletteHTTPException, _tell_refusal)
    app.add_exception_handler(RequestValidationError, _tell_refusal)
    app.add_exception_handler(DatabaseDownError, _tell_database_down)
    app.add_exception_handler(Exception, _tell_failure)
    app.middleware("http")(_add_headers)
    return app


def show_overview(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> HTMLResponse:
    """The page itself."""
    return _overview(request, user, session, where, readable)


def _overview(
    request: Request,
    user: BaseUser,
    session: Session,
    where: Place,
    readable: frozenset[str],
    typed: TypedValue | None = None,
) -> HTMLResponse:
    """Answer the page, with what is wrong about a value that was typed beside its field."""
    from backmarket.page.overview import REQUESTS_LIMIT, SKU_LINES_LIMIT, gather, log_path

    overview = gather(session, where, readable)
    may_edit = {field: access.may_edit(user, state.key) for field, state in overview.variables.items()}
    return _render(
        request,
        "overview.html",
        status=503 if overview.problem else 400 if typed else 200,
        page=overview,
        typed=typed,
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


def show_need(request: Request, user: User, name: str, where: Where, readable: Readable) -> Response:
    """All that waits of one kind."""
    from backmarket.warehouse.needs import need_of

    need = need_of(name)
    if need is None:
        raise HTTPException(404, "There is no such page.")
    if need.stem:
        _require(readable, need.stem, where)
    can_act = need.can_be_marked and any(access.may_work_off(user, stem, where.account) for stem in readable)
    return _show_list(
        request,
        "work_off.html" if can_act else "need.html",
        lists.list_of_need(need, readable),
        where,
        readable,
        need=need,
        csrf=access.form_token(user),
    )


def _show_list(
    request: Request, template: str, list_of: lists.ListOf, where: Place, readable: frozenset[str], **values: Any
) -> Response:
    """A page of a list as its address asks for, or all of it as a CSV file."""
    list_of = lists.readable_part(list_of, readable)
    if request.query_params.get("format") == "csv":
        return _csv_of(request, list_of, where)
    return _render_list(request, template, _read_list(request, list_of, where), where, **values)


def _read_list(
    request: Request, list_of: lists.ListOf, where: Place, kept: Mapping[str, str] | None = None
) -> lists.Shown:
    account = {} if where.account == request.state.home else {"account": where.account}
    return lists.show(list_of, request.query_params, where, {**account, **(kept or {})})


def _render_list(request: Request, template: str, shown: lists.Shown, where: Place, **values: Any) -> HTMLResponse:
    from backmarket.page.overview import log_path

    return _render(
        request,
        template,
        status=400 if shown.wanted.problems else 200,
        shown=shown,
        log_path=partial(log_path, where.account),
        now=datetime.now(UTC),
        **values,
    )


def _csv_of(request: Request, list_of: lists.ListOf, where: Place) -> StreamingResponse:
    wanted = lists.wanted_of(list_of, request.query_params)
    if wanted.problems:
        raise HTTPException(400, " ".join(f"{name}: {why}" for name, why in wanted.problems.items()))
    name = lists.csv_name(list_of, where.account)
    return StreamingResponse(
        lists.csv_file(list_of, wanted, where),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def show_orders(request: Request, where: Where, readable: Readable) -> Response:
    """Open orders, by the time they have to be shipped; a search of old, which had this address, goes on."""
    if "q" in request.query_params:
        return RedirectResponse(f"{request.scope['root_path']}/search?{request.url.query}", status_code=303)
    _require(readable, ORDERS.stem, where)
    return _show_list(request, "list.html", lists.LIST_OF_ORDERS, where, readable)


def show_listings(request: Request, where: Where, readable: Readable) -> Response:
    """Listings, with what is on the shelf, shown and sold."""
    _require(readable, LISTINGS.stem, where)
    return _show_list(request, "list.html", lists.LIST_OF_LISTINGS, where, readable)


def search(request: Request, where: Where, readable: Readable, q: str = "") -> Response:
    """Lead to the story of what was found, or list it where it is more than one."""
    wanted = q.replace("\0", "").strip()[:100]
    if not wanted:
        return RedirectResponse(f"{request.scope['root_path']}/{_query(request, where)}", status_code=303)
    list_of = lists.list_of_hits(wanted, readable)
    if request.query_params.get("format") == "csv":
        return _csv_of(request, list_of, where)
    shown = _read_list(request, list_of, where, kept={"q": wanted})
    if shown.rows.total == 1 and not shown.is_filtered:
        (hit,) = shown.rows.items
        path = f"{'orders' if hit['story'] == 'order' else 'skus'}/{quote(hit['subject'], safe='')}"
        return RedirectResponse(f"{request.scope['root_path']}/{path}{_query(request, where)}", status_code=303)
    return _render_list(request, "search.html", shown, where, searched=wanted, most_hits=lists.MOST_HITS)


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


def show_reports(request: Request, session: Airflow, where: Where, readable: Readable) -> HTMLResponse:
    """The settlement reports there are, and a form for one of any period."""
    _require(readable, SETTLEMENTS.stem, where)
    return _render(request, "settlement_reports.html", page=settlement_reports.list_reports(session, where))


def show_report_of_run(
    request: Request, run_id: str, where: Where, readable: Readable, *, download: bool = False
) -> Response:
    """The settlement report that a run has stored; its task links here."""
    _require(readable, SETTLEMENTS.stem, where)
    return _show_report(request, settlement_reports.stored_report(where, run_id), download=download)


def show_report_of_period(
    request: Request, first_day: date, last_day: date, where: Where, readable: Readable, *, download: bool = False
) -> Response:
    """A settlement report of any period, both days included."""
    _require(readable, SETTLEMENTS.stem, where)
    return _show_report(request, settlement_reports.report_of(where, first_day, last_day), download=download)


def _show_report(request: Request, report: settlement_reports.Report, *, download: bool) -> Response:
    if download:
        return report.as_file()
    address = request.url.include_query_params(download="true")
    return _render(request, "settlement_report.html", report=report, file=f"?{address.query}")


def change_variable(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    key: str,
    value: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Set a Variable from a switch or a field, then show the page again; ask first where much hangs on it."""
    from backmarket.page import variables

    access.check_form_token(user, csrf)
    if not access.may_edit(user, key):
        raise HTTPException(403, f"You may not change {key}: that needs the right to edit Airflow's Variables.")
    if not confirmed and (question := variables.question_about(where.account, key, value)):
        return _render(request, "confirm.html", question=question, key=key, value=value, csrf=csrf)
    try:
        variables.write(session, user, where.account, key, value)
    except variables.WrongValueError as error:
        return _overview(request, user, session, where, readable, TypedValue(key, value, str(error)))
    # Before the answer, after which the page is read again.
    session.commit()
    return RedirectResponse(f"{request.scope['root_path']}/{_query(request, where)}#{key}", status_code=303)


def show_approvals(request: Request, user: User, session: Airflow, where: Where, readable: Readable) -> Response:
    """The moves of prices that wait for a person, and buttons to decide about them."""
    from backmarket.page.airflow_state import open_approvals
    from backmarket.warehouse.needs import APPROVALS

    _require(readable, INVENTORY_PRICES.stem, where)
    return _show_list(
        request,
        "approvals.html",
        lists.list_of_approvals(APPROVALS, readable),
        where,
        readable,
        need=APPROVALS,
        questions=open_approvals(session, [dag_id_of(PRICE_APPROVAL.stem, where.account)]),
        may_decide=access.may_approve(user, where.account),
        csrf=access.form_token(user),
    )


def decide_prices(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    item: Annotated[list[str] | None, Form()] = None,
    action: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Approve or decline moves of prices."""
    from backmarket.page import variables, work_off

    access.check_form_token(user, csrf)
    _require(readable, INVENTORY_PRICES.stem, where)
    notice = work_off.decide_prices(
        work_off.Acting(session, user, where, readable),
        item or [],
        action,
        comment,
        variables.value_of(session, where.account, "price_decision_days"),
    )
    return _told(request, session, notice)


def work_off_need(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    name: str,
    item: Annotated[list[str] | None, Form()] = None,
    action: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Resolve, ignore, comment or try again what is selected on a list."""
    from backmarket.page import work_off

    access.check_form_token(user, csrf)
    acting = work_off.Acting(session, user, where, readable)
    notice = work_off.work_off(acting, name, item or [], action, comment)
    return _told(request, session, notice)


def show_worked_off(request: Request, user: User, where: Where, readable: Readable) -> HTMLResponse:
    """What people did about things, who and when, and what became of it."""
    from backmarket.page import work_off
    from backmarket.warehouse.needs import need_of

    with where.read() as database:
        rows = work_off.read_worked_off(database, readable, most=_MOST_WORKED_OFF)
    return _render(
        request,
        "worked_off.html",
        rows=rows,
        most=_MOST_WORKED_OFF,
        need_of=need_of,
        csrf=access.form_token(user),
        now=datetime.now(UTC),
    )


def take_back(
    request: Request,
    user: User,
    session: Airflow,
    where: Where,
    readable: Readable,
    mark: Annotated[list[int] | None, Form()] = None,
    csrf: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Let what was resolved or ignored be listed again."""
    from backmarket.page import work_off

    access.check_form_token(user, csrf)
    notice = work_off.take_back(work_off.Acting(session, user, where, readable), mark or [])
    return _told(request, session, notice)


def _told(request: Request, session: Session, notice: access.Notice) -> RedirectResponse:
    """Lead back to where the form stood, and say there what was done."""
    # Before the answer, after which the page is read again.
    session.commit()
    query = urlencode({**request.query_params, "notice": access.sign_notice(notice)})
    return RedirectResponse(f"{request.url.path}?{query}", status_code=303)


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
        "notice": access.read_notice(request.query_params.get("notice", "")),
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
