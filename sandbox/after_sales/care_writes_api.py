"""Changing care folders: messages, problems and item transfers."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.after_sales.care_documents import posted
from sandbox.after_sales.model import LAST_OLD_FOLDER, MERCHANT, OPEN, CareFolder, ItemTransfer, Problem
from sandbox.after_sales.uploads import attachments_fit, is_multipart, read_files, text_of
from sandbox.errors import error_v1, json_response, not_found
from sandbox.request_body import json_object
from sandbox.world import world_of

_WITH_ATTACHMENT = frozenset({"DAMAGED_PACKAGE", "ITEM_NOT_RECEIVED", "OOW_ITEM"})
_PROBLEM_TYPES = _WITH_ATTACHMENT | {
    "ACCOUNT_LOCKED", "CODE_LOCKED", "MISSING_PART", "PROBLEM_NOT_IDENTIFIED", "WRONG_ITEM", "OTHER",
}  # fmt: skip
_ACTIONS = frozenset({"REPAIR", "REPLACE", "NOTHING"})


async def post_message(request: Request) -> Response:
    """Add a message of the seller's; a closed folder is open again."""
    world, folder = world_of(request), _folder(request)
    if folder is None:
        return not_found("care folder")
    if not is_multipart(request):
        return error_v1(400, "bad_request", "message not found")
    async with request.form() as form:
        text = text_of(form, "message")
        files = await read_files(form, "attachment")
    if not text.strip():
        return error_v1(400, "bad_request", "message not found")
    if files is None:
        return error_v1(400, "bad_request", "attachment is not a file")
    uploads = [upload for upload, _ in files]
    if not attachments_fit(uploads):
        return error_v1(400, "bad_request", "at most 10 attachments of 3 MB each are possible")
    message = world.after_sales.write(folder, MERCHANT, text, world.clock.now(), attachments=uploads)
    return json_response(posted(folder, message), 201)


async def post_problem(request: Request) -> Response:
    """Declare a problem; without a body it is the problem OTHER."""
    world, folder = world_of(request), _folder(request)
    if folder is None:
        return not_found("care folder")
    problem_type, text, files = "OTHER", "", None
    if is_multipart(request):
        async with request.form() as form:
            problem_type, text = text_of(form, "problem_type") or "OTHER", text_of(form, "message")
            files = await read_files(form, "attachment")
        if files is None:
            return _unprocessable("attachment is not a file")
    elif await request.body():
        return _unprocessable("the body is not multipart/form-data")
    problem = Problem(problem_type, text, world.clock.now(), [upload for upload, _ in files or ()])
    if not attachments_fit(problem.attachments):
        return error_v1(413, "payload_too_large", "File too large or too many attachments")
    refusal = _why_not(folder, problem)
    if refusal is not None:
        return _unprocessable(refusal)
    folder.problems.append(problem)
    folder.modified = problem.moment
    world.after_sales.save_folder(folder)
    return Response(status_code=201)


def _why_not(folder: CareFolder, problem: Problem) -> str | None:
    if problem.problem_type not in _PROBLEM_TYPES:
        return f"problem_type {problem.problem_type} is unknown"
    if folder.id < LAST_OLD_FOLDER and (problem.problem_type != "OTHER" or problem.message or problem.attachments):
        return "Only OTHER problem type is allowed for IDs lower than 100,000,000"
    if problem.problem_type in _WITH_ATTACHMENT and not problem.attachments:
        return "Attachments are mandatory for this problem type"
    if folder.state != OPEN:
        return "Cannot declare problem on this Care Folder"
    return None


async def post_item_transfer(request: Request) -> Response:
    """Declare that an item goes back to the customer; a tracking number can be declared once."""
    world, folder = world_of(request), _folder(request)
    if folder is None:
        return not_found("care folder")
    body = await json_object(request) or {}
    shipper_name, tracking_number, action = (body.get(x) for x in ("shipperName", "trackingNumber", "action"))
    if folder.id > LAST_OLD_FOLDER:
        return _unprocessable("Care folders with ID above 100,000,000 are not yet supported on this endpoint")
    if not (isinstance(shipper_name, str) and shipper_name and isinstance(tracking_number, str) and tracking_number):
        return _unprocessable("shipperName and trackingNumber are needed")
    if "action" in body and action not in _ACTIONS:
        return _unprocessable(f"action {action} is unknown")
    if world.after_sales.tracking_number_is_known(tracking_number):
        return error_v1(400, "bad_request", "An item transfer with this tracking number already exists")
    transfer = ItemTransfer(shipper_name, tracking_number, action, world.clock.now())
    folder.item_transfers.append(transfer)
    folder.modified = transfer.moment
    world.after_sales.save_folder(folder)
    return Response(status_code=201)


def _folder(request: Request) -> CareFolder | None:
    return world_of(request).after_sales.folders.get(request.path_params["folder_id"])


def _unprocessable(message: str) -> Response:
    return error_v1(422, "unprocessable_entity", message)


routes = [
    Route("/ws/sav/{folder_id:int}/msg", post_message, methods=["POST"]),
    Route("/ws/sav/{folder_id:int}/problem", post_problem, methods=["POST"]),
    Route("/ws/sav/{folder_id:int}/item-transfer", post_item_transfer, methods=["POST"]),
]
