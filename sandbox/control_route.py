"""What a route of the control API is: plain data in, plain data out, and its refusals."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.errors import json_response
from sandbox.orders.marketplace import RefusalError

Handler = Callable[[Request], Awaitable[object]]


def control_route(path: str, method: str, handler: Handler) -> Route:
    """Make a route whose handler gives plain data; a RefusalError becomes 409, a malformed request 400."""

    async def serve(request: Request) -> Response:
        try:
            return json_response(await handler(request))
        except RefusalError as refusal:
            return json_response({"refused": str(refusal)}, 409)
        except KeyError as missing:
            return json_response({"not_found": str(missing)}, 404)
        except (ValueError, TypeError) as mistake:
            return json_response({"bad_request": str(mistake)}, 400)

    return Route(path, serve, methods=[method])


async def fields_of(request: Request) -> dict[str, Any]:
    """Read the body, which may be absent; raises TypeError where it is no JSON object."""
    text = await request.body()
    body = json.loads(text) if text else {}
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body
