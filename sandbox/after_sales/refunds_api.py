"""`POST /ws/sav/refund`."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.after_sales.amounts import with_symbol
from sandbox.after_sales.refunds import amount_to_refund, read_request
from sandbox.errors import error_v1, not_found
from sandbox.orders.model import refresh_state
from sandbox.orders.rules import InvalidChangeError
from sandbox.world import world_of

ENDPOINT = "/ws/sav/refund"


async def create_refund(request: Request) -> Response:
    """Refund a line in full or in part; the last part moves the line on. The answer is a text for people."""
    world = world_of(request)
    try:
        wanted = read_request(await request.body())
        document, line = world.orders.line(wanted.orderline_id)
        if document is None or line is None:
            return not_found("orderline")
        refundable = world.after_sales.refundable(line)
        amount = amount_to_refund(line, wanted, refundable)
    except InvalidChangeError as refusal:
        return error_v1(refusal.status, "bad_request", refusal.message)
    if amount == refundable:
        line["state"] = wanted.refund_type
        refresh_state(document)
    world.marketplace.touch(document)
    world.orders.save(document)
    refund = world.after_sales.note_refund(document, line, wanted.refund_type, amount, world.clock.now(), ENDPOINT)
    summary = f"{with_symbol(refund.amount, refund.currency)} refunded on the sku {line['listing']}"
    return PlainTextResponse(summary, 201)


routes = [Route(ENDPOINT, create_refund, methods=["POST"])]
