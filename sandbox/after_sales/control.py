"""The part of the control API below /_sandbox/ that is about care folders, returns and what the seller did."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from sandbox.after_sales.model import BACK_MARKET, CLOSED, CUSTOMER, CareFolder, Return, ReturnLabel
from sandbox.clock import read_date
from sandbox.control_route import control_route, fields_of
from sandbox.orders.marketplace import RefusalError
from sandbox.orders.model import Document
from sandbox.world import World, world_of


async def _folders(request: Request) -> object:
    return [_shown(folder) for _, folder in sorted(world_of(request).after_sales.folders.items())]


async def _open_folder(request: Request) -> object:
    """Let a customer complain of `orderline_id`; `old` gives an id of the earlier system."""
    world, fields = world_of(request), await fields_of(request)
    message, label, old = fields.pop("message"), fields.pop("return_label", None), fields.pop("old", False)
    order, line = _line(world, fields.pop("orderline_id"))
    now = world.clock.now()
    folder = CareFolder(
        world.after_sales.next_folder_id(old=bool(old)), order["order_id"], line["id"], now, now, **fields
    )
    if label is not None:
        folder.return_labels.append(ReturnLabel(now, str(label)))
    world.after_sales.write(folder, CUSTOMER, str(message), now)
    return _shown(folder)


async def _add_message(request: Request) -> object:
    """Let the customer write, or Back Market where it is `informative`."""
    world, fields = world_of(request), await fields_of(request)
    folder = _folder(world, request)
    informative = bool(fields.get("informative", False))
    initiator = BACK_MARKET if informative else CUSTOMER
    world.after_sales.write(folder, initiator, str(fields["message"]), world.clock.now(), informative=informative)
    return _shown(folder)


async def _close_folder(request: Request) -> object:
    world = world_of(request)
    folder = _folder(world, request)
    folder.state, folder.closed = CLOSED, world.clock.now()
    folder.modified = folder.closed
    world.after_sales.save_folder(folder)
    return _shown(folder)


async def _returns(request: Request) -> object:
    return [asdict(parcel) for parcel in world_of(request).after_sales.returns.values()]


async def _create_return(request: Request) -> object:
    """Let a customer send `orderline_id` back; the moments are ISO 8601 texts."""
    world, fields = world_of(request), await fields_of(request)
    order, line = _line(world, fields.pop("orderline_id"))
    created = fields.pop("created", None)
    moment = world.clock.now() if created is None else read_date(created)
    return _moved(world, world.after_sales.add_return(order["order_id"], line["id"], moment), fields)


async def _move_return(request: Request) -> object:
    world, number = world_of(request), request.path_params["return_id"]
    if number not in world.after_sales.returns:
        raise KeyError(number)
    return _moved(world, world.after_sales.returns[number], await fields_of(request))


def _moved(world: World, parcel: Return, fields: dict[str, Any]) -> object:
    unknown = fields.keys() - {"picked_up", "delivered"}
    if unknown:
        raise ValueError(f"a return has no {', '.join(sorted(unknown))}")
    picked_up, delivered = (fields.get(name) for name in ("picked_up", "delivered"))
    if picked_up is not None:
        parcel.picked_up = read_date(picked_up)
    if delivered is not None:
        parcel.delivered = read_date(delivered)
        parcel.picked_up = parcel.picked_up or parcel.delivered
    world.after_sales.save_return(parcel)
    return asdict(parcel)


async def _refunds(request: Request) -> object:
    return [asdict(refund) for refund in world_of(request).after_sales.refunds]


async def _invoices(request: Request) -> object:
    return [asdict(invoice) for invoice in world_of(request).after_sales.invoices]


async def _messages(request: Request) -> object:
    """Give what the seller wrote, oldest first."""
    return [
        {**asdict(message), "folder_id": folder.id, "order_id": folder.order_id, "orderline_id": folder.orderline_id}
        for folder, message in world_of(request).after_sales.merchant_messages()
    ]


def _line(world: World, orderline_id: object) -> tuple[Document, dict[str, Any]]:
    order, line = world.orders.line(int(str(orderline_id)))
    if order is None or line is None:
        raise RefusalError(f"there is no order line {orderline_id}")
    return order, line


def _folder(world: World, request: Request) -> CareFolder:
    return world.after_sales.folders[request.path_params["folder_id"]]


def _shown(folder: CareFolder) -> dict[str, Any]:
    return {**asdict(folder), "last_message": folder.last_message}


routes = [
    control_route("/_sandbox/care-folders", "GET", _folders),
    control_route("/_sandbox/care-folders", "POST", _open_folder),
    control_route("/_sandbox/care-folders/{folder_id:int}/messages", "POST", _add_message),
    control_route("/_sandbox/care-folders/{folder_id:int}/close", "POST", _close_folder),
    control_route("/_sandbox/returns", "GET", _returns),
    control_route("/_sandbox/returns", "POST", _create_return),
    control_route("/_sandbox/returns/{return_id:int}", "POST", _move_return),
    control_route("/_sandbox/refunds", "GET", _refunds),
    control_route("/_sandbox/invoices", "GET", _invoices),
    control_route("/_sandbox/messages", "GET", _messages),
]
