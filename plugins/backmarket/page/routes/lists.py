"""Lists of orders, listings, inventory, changes and what comes after the sale, and what a search finds."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from backmarket.concerns import AFTER_SALES, INVENTORY_PRICES, LISTINGS, ORDERS
from backmarket.page import lists
from backmarket.page.dependencies import Readable, Where, account_query, require
from backmarket.page.list_answers import file_of, read_list, render_list, show_list

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/orders")
def show_orders(request: Request, where: Where, readable: Readable) -> Response:
    """Open orders, by the time they have to be shipped; a search of old, which had this address, goes on."""
    if "q" in request.query_params:
        return RedirectResponse(f"{request.scope['root_path']}/search?{request.url.query}", status_code=303)
    require(readable, ORDERS.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_ORDERS, where, readable)


@routes.get("/listings")
def show_listings(request: Request, where: Where, readable: Readable) -> Response:
    """Listings, with what is on the shelf, shown and sold."""
    require(readable, LISTINGS.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_LISTINGS, where, readable)


@routes.get("/inventory")
def show_inventory(request: Request, where: Where, readable: Readable) -> Response:
    """How the newest plan came to the units of each SKU."""
    require(readable, INVENTORY_PRICES.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_INVENTORY, where, readable)


@routes.get("/changes")
def show_changes(request: Request, where: Where, readable: Readable) -> Response:
    """The newest changes, and what became of them."""
    return show_list(request, "list.html", lists.list_of_changes(readable), where, readable)


@routes.get("/care-folders")
def show_care_folders(request: Request, where: Where, readable: Readable) -> Response:
    """Care folders, those first whose turn it is longest."""
    require(readable, AFTER_SALES.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_CARE_FOLDERS, where, readable)


@routes.get("/returns")
def show_returns(request: Request, where: Where, readable: Readable) -> Response:
    """What customers send back."""
    require(readable, AFTER_SALES.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_RETURNS, where, readable)


@routes.get("/refunds")
def show_refunds(request: Request, where: Where, readable: Readable) -> Response:
    """Refunds, and what became of them."""
    require(readable, AFTER_SALES.stem, where)
    return show_list(request, "list.html", lists.LIST_OF_REFUNDS, where, readable)


@routes.get("/search")
def search(request: Request, where: Where, readable: Readable, q: str = "") -> Response:
    """Lead to the story of what was found, or list it where it is more than one."""
    wanted = q.replace("\0", "").strip()[:100]
    if not wanted:
        return RedirectResponse(f"{request.scope['root_path']}/{account_query(request, where)}", status_code=303)
    list_of = lists.list_of_hits(wanted, readable)
    if file := file_of(request, list_of, where):
        return file
    shown = read_list(request, list_of, where, kept={"q": wanted})
    if shown.rows.total == 1 and not shown.is_filtered:
        (hit,) = shown.rows.items
        path = f"{'orders' if hit['story'] == 'order' else 'skus'}/{quote(hit['subject'], safe='')}"
        return RedirectResponse(f"{request.scope['root_path']}/{path}{account_query(request, where)}", status_code=303)
    return render_list(request, "search.html", shown, where, searched=wanted, most_hits=lists.MOST_HITS)
