"""Categories: what the catalog is like."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import errors
from sandbox.catalog.categories import BY_ID, TREE
from sandbox.listings.api import market_of


async def category_tree(request: Request) -> Response:
    """Serve the whole tree."""
    if market_of(request) is None:
        return errors.error_v2(400, "bad_request", "Accept-Language names no market of this platform")
    return errors.json_response(TREE)


async def category_branch(request: Request) -> Response:
    """Serve one category with everything below it."""
    node = BY_ID.get(request.path_params["category_id"])
    if market_of(request) is None:
        return errors.error_v2(400, "bad_request", "Accept-Language names no market of this platform")
    return errors.not_found("category") if node is None else errors.json_response(node)


routes = [
    Route("/ws/category/tree", category_tree),
    Route("/ws/category/tree/{category_id:int}", category_branch),
]
