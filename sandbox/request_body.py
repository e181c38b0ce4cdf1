"""Reading what a seller sent."""

import json
from typing import Any

from starlette.requests import Request


async def json_object(request: Request) -> dict[str, Any] | None:
    """Give the body as a JSON object, or None when it is anything else."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
