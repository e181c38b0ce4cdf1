"""Every shape in which Back Market says no: four JSON envelopes and Cloudflare's HTML pages."""

import json
import uuid

from starlette.responses import Response

_CHALLENGE = {"errors": [{"code": "bot-need-challenge", "message": "Forbidden", "challengePath": "/challenge"}]}


def request_id() -> str:
    """Make up an id as answers carry it."""
    return uuid.uuid4().hex


def cf_ray() -> str:
    """Make up Cloudflare's id of a request."""
    return f"{uuid.uuid4().hex[:16]}-CDG"


def json_response(body: object, status: int = 200) -> Response:
    """Answer any JSON, in UTF-8 without escapes."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


def error_v1(status: int, code: str, message: str) -> Response:
    """One error under `error` (most endpoints)."""
    return json_response({"error": {"code": code, "message": message}, "requestId": request_id()}, status)


def error_v2(status: int, code: str, message: str) -> Response:
    """A list of errors under `errors` (the category tree)."""
    return json_response({"errors": [{"code": code, "message": message}], "requestId": request_id()}, status)


def error_v3(status: int, code: str, message: str) -> Response:
    """A problem document in the manner of RFC 7807 (backbox)."""
    body = {
        "error": {"code": code, "message": message},
        "status": status,
        "title": message,
        "type": f"/errors/{code}",
        "requestId": request_id(),
    }
    return json_response(body, status)


def error_text(status: int, message: str) -> Response:
    """A bare JSON string (writes to listings)."""
    return json_response(message, status)


def html_page(status: int, title: str) -> Response:
    """A page of Cloudflare's where JSON was expected; the gate adds `cf-ray` to every answer."""
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{title} | www.backmarket</title></head>"
        f"<body><h1>{title}</h1><p>Cloudflare Ray ID: {cf_ray()}</p></body></html>\n"
    )
    return Response(page, status, media_type="text/html")


def rate_limited(retry_after: int | None = None) -> Response:
    """The 429 of the traffic limit; in production it seldom names a time to wait."""
    answer = html_page(429, "Error 1015: You are being rate limited")
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def firewall() -> Response:
    """The 403 of the web application firewall."""
    return html_page(403, "Attention Required! Sorry, you have been blocked")


def bot_challenge() -> Response:
    """The 403 of the bot management."""
    return json_response(_CHALLENGE, 403)


def unauthorized() -> Response:
    """The 401 of a missing, wrong or revoked token."""
    return error_v1(401, "unauthorized", "Invalid authentication credentials.")


def forbidden() -> Response:
    """The 403 of something the account may not see, such as a market it does not sell in."""
    return error_v1(403, "forbidden", "You do not have permission to perform this action.")


def not_found(what: str) -> Response:
    """The 404 of an object that does not exist or belongs to somebody else."""
    return error_v1(404, "not_found", f"{what} not found")


def unavailable() -> Response:
    """The 404 of endpoints that an account does not have."""
    return error_v1(404, "not_found", "Webservices unavailable")
