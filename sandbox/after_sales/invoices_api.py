"""`POST /ws/orders/{id}/invoice`: customers' invoices, of which the sandbox keeps what each was."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.after_sales.uploads import MEGABYTE, is_multipart, read_files
from sandbox.clock import write_like
from sandbox.errors import error_v1, json_response, not_found
from sandbox.world import world_of

MAX_INVOICE_BYTES = 10 * MEGABYTE


async def add_invoice(request: Request) -> Response:
    """Take one or several PDF files in the multipart field `invoice`."""
    world = world_of(request)
    document = world.orders.document(request.path_params["order_id"])
    if document is None:
        return not_found("order")
    if not is_multipart(request):
        return error_v1(400, "bad_request", "invoice not found")
    async with request.form() as form:
        files = await read_files(form, "invoice")
    if not files:
        return error_v1(400, "bad_request", "invoice not found")
    if any(upload.size > MAX_INVOICE_BYTES for upload, _ in files):
        return error_v1(413, "payload_too_large", "an invoice has at most 10 MB")
    if any(not content.startswith(b"%PDF-") for _, content in files):
        return error_v1(400, "bad_request", "invoice is not a PDF")
    now = world.clock.now()
    for upload, _ in files:
        world.after_sales.add_invoice(document["order_id"], upload, now)
    document["date_bill_provided"] = write_like(now, str(document["date_modification"]))
    world.marketplace.touch(document)
    world.orders.save(document)
    return json_response({"statuscode": 200})


routes = [Route("/ws/orders/{order_id:int}/invoice", add_invoice, methods=["POST"])]
