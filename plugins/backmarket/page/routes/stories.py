"""Stories of an order and of a SKU."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from backmarket.concerns import BACKBOX, INVENTORY_PRICES, ORDERS
from backmarket.page import downloads
from backmarket.page.dependencies import Readable, Where, require
from backmarket.page.rendering import render

routes = APIRouter(default_response_class=HTMLResponse)


@routes.get("/orders/{order_id}")
def show_order(request: Request, order_id: int, where: Where, readable: Readable) -> Response:
    """An order's story."""
    from backmarket.page.stories import LARGEST_BIGINT, order_story

    require(readable, ORDERS.stem, where)
    if not 0 <= order_id <= LARGEST_BIGINT:
        raise HTTPException(404, "This is no number of an order.")
    with where.read() as database:
        story = order_story(database, order_id, readable)
    if file := downloads.answer_if_asked(request, story.tables, where.account):
        return file
    return render(request, "order.html", status=200 if story.head else 404, story=story)


@routes.get("/skus/{sku:path}")
def show_sku(request: Request, sku: str, where: Where, readable: Readable) -> Response:
    """A SKU's story."""
    from backmarket.page.stories import sku_story

    if readable.isdisjoint({INVENTORY_PRICES.stem, BACKBOX.stem}):
        require(readable, ORDERS.stem, where)
    with where.read() as database:
        story = sku_story(database, sku.replace("\0", ""), readable)
    if file := downloads.answer_if_asked(request, story.tables, where.account):
        return file
    return render(request, "sku.html", status=200 if story.known else 404, story=story, now=datetime.now(UTC))
