"""Makes a page of a template: what every page shows besides its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from backmarket.concerns import (
    AFTER_SALES,
    BACKBOX,
    INVENTORY_PRICES,
    LISTINGS,
    ORDERS,
    SELLER_FILES,
    SETTLEMENTS,
)
from backmarket.page import access, formats
from backmarket.seller_account import DEFAULT_ACCOUNT, dag_id_of

if TYPE_CHECKING:
    from fastapi import Request

PREFIX = "/backmarket"
"""Where Airflow mounts the page."""

_TEMPLATES = Environment(
    loader=PackageLoader("backmarket.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What stands beside the search field on every page: a name, the address below the page's own, and whose readers see it,
# which are those of any of these concerns; of none: everybody.
_NAVIGATION: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Overview", "/", frozenset()),
    ("Orders", "/orders", frozenset({ORDERS.stem})),
    ("Listings", "/listings", frozenset({LISTINGS.stem})),
    ("Inventory", "/inventory", frozenset({INVENTORY_PRICES.stem})),
    ("BackBox", "/backbox", frozenset({BACKBOX.stem})),
    ("Care folders", "/care-folders", frozenset({AFTER_SALES.stem})),
    ("Returns", "/returns", frozenset({AFTER_SALES.stem})),
    ("Refunds", "/refunds", frozenset({AFTER_SALES.stem})),
    ("Changes", "/changes", frozenset()),
    ("Worked off", "/worked-off", frozenset()),
    ("Files", "/files", frozenset({SELLER_FILES.stem, SETTLEMENTS.stem})),
    ("Settlement reports", "/reports", frozenset({SETTLEMENTS.stem})),
    ("Profit", "/profit", frozenset({SETTLEMENTS.stem})),
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


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Answer with a template."""
    root: str = request.scope.get("root_path", "")
    readable: frozenset[str] = getattr(request.state, "readable", frozenset())
    account: str = getattr(request.state, "account", DEFAULT_ACCOUNT)
    here = {
        "root": root,
        "airflow": root.removesuffix(PREFIX),
        "path": request.url.path.removeprefix(root),
        "navigation": [(name, address) for name, address, stems in _NAVIGATION if not stems or stems & readable],
        "accounts": list(getattr(request.state, "accounts", ())),
        "home": getattr(request.state, "home", DEFAULT_ACCOUNT),
        "account": account,
        "dag_of": partial(dag_id_of, account=account),
        "notice": access.read_notice(request.query_params.get("notice", "")),
    }
    html = _TEMPLATES.get_template(template).render(**here, **values)
    return HTMLResponse(html, status_code=status)
