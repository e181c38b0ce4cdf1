"""Keeps what happens after the sale; every change is handed on to be written through."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sandbox.after_sales.amounts import in_currency, paid_for
from sandbox.after_sales.model import (
    LAST_OLD_FOLDER,
    MERCHANT,
    OPEN,
    CareFolder,
    Delivery,
    Invoice,
    Message,
    Refund,
    Return,
    Upload,
)
from sandbox.orders.model import Document
from sandbox.storage import Storage

FIRST_OLD_FOLDER_ID = 41_000_001
FIRST_FOLDER_ID = LAST_OLD_FOLDER + 1
FIRST_RETURN_ID = 90_000_001
FIRST_MESSAGE_ID = 7_000_001


class AfterSales:
    """Care folders, returns, deliveries, refunds and invoices of one account."""

    def __init__(self, keep: Callable[[str, object, object], None]) -> None:
        self.folders: dict[int, CareFolder] = {}
        self.returns: dict[int, Return] = {}
        self.deliveries: dict[int, Delivery] = {}
        self.refunds: list[Refund] = []
        self.invoices: list[Invoice] = []
        self._refunds_of_line: defaultdict[int, list[Refund]] = defaultdict(list)
        self._last_message_id = FIRST_MESSAGE_ID - 1
        self._keep = keep

    def resume(self, storage: Storage) -> None:
        """Take over what was kept."""
        for document in storage.documents("care_folder"):
            self._take_folder(CareFolder.from_document(document))
        self.returns = {document["id"]: Return(**document) for document in storage.documents("return")}
        self.deliveries = {document["order_id"]: Delivery(**document) for document in storage.documents("delivery")}
        for document in storage.documents("refund"):
            self._take_refund(Refund(**document))
        self.invoices = [Invoice(**document) for document in storage.documents("invoice")]

    def _take_folder(self, folder: CareFolder) -> None:
        self.folders[folder.id] = folder
        self._last_message_id = max([self._last_message_id, *(message.id for message in folder.messages)])

    def next_folder_id(self, *, old: bool = False) -> int:
        """Give the id of the next new folder, or of the next one of the earlier system."""
        first = FIRST_OLD_FOLDER_ID if old else FIRST_FOLDER_ID
        return max((key for key in self.folders if (key < LAST_OLD_FOLDER) is old), default=first - 1) + 1

    def save_folder(self, folder: CareFolder) -> None:
        """Take in a new or changed folder."""
        self._take_folder(folder)
        self._keep("care_folder", folder.id, asdict(folder))

    def write(
        self,
        folder: CareFolder,
        initiator: str,
        text: str,
        moment: int,
        *,
        informative: bool = False,
        attachments: list[Upload] | None = None,
    ) -> Message:
        """Add a message to a folder; whatever asks for an answer opens a closed one again."""
        self._last_message_id += 1
        message = Message(self._last_message_id, initiator, text, moment, informative, attachments or [])
        folder.messages.append(message)
        folder.modified = moment
        if not informative:
            folder.state, folder.closed = OPEN, None
        self.save_folder(folder)
        return message

    def merchant_messages(self) -> list[tuple[CareFolder, Message]]:
        """Give all messages of the seller, oldest first."""
        found = [
            (folder, message)
            for folder in self.folders.values()
            for message in folder.messages
            if message.initiator == MERCHANT
        ]
        return sorted(found, key=lambda each: each[1].id)

    def tracking_number_is_known(self, tracking_number: str) -> bool:
        """Tell whether an item transfer with this tracking number was declared on any folder."""
        return any(
            transfer.tracking_number == tracking_number
            for folder in self.folders.values()
            for transfer in folder.item_transfers
        )

    def add_return(self, order_id: int, orderline_id: int, created: int) -> Return:
        """Let a customer send an item back."""
        parcel = Return(max(self.returns, default=FIRST_RETURN_ID - 1) + 1, order_id, orderline_id, created)
        self.save_return(parcel)
        return parcel

    def save_return(self, parcel: Return) -> None:
        """Take in a new or changed return."""
        self.returns[parcel.id] = parcel
        self._keep("return", parcel.id, asdict(parcel))

    def save_delivery(self, delivery: Delivery) -> None:
        """Take in a new or changed delivery."""
        self.deliveries[delivery.order_id] = delivery
        self._keep("delivery", delivery.order_id, asdict(delivery))

    def refunds_of(self, orderline_id: int) -> list[Refund]:
        """Give the refunds of one line, oldest first."""
        return self._refunds_of_line.get(orderline_id, [])

    def refundable(self, line: dict[str, Any]) -> Decimal:
        """Give what was paid for a line and not given back yet."""
        return paid_for(line) - sum((Decimal(refund.amount) for refund in self.refunds_of(line["id"])), Decimal(0))

    def note_refund(
        self, document: Document, line: dict[str, Any], refund_type: int, amount: Decimal, moment: int, endpoint: str
    ) -> Refund:
        """Write down a refund that was applied."""
        currency = str(line["currency"])
        refund = Refund(
            len(self.refunds) + 1,
            document["order_id"],
            line["id"],
            refund_type,
            str(in_currency(amount, currency)),
            currency,
            moment,
            endpoint,
        )
        self._take_refund(refund)
        self._keep("refund", refund.id, asdict(refund))
        return refund

    def _take_refund(self, refund: Refund) -> None:
        self.refunds.append(refund)
        self._refunds_of_line[refund.orderline_id].append(refund)

    def add_invoice(self, order_id: int, upload: Upload, moment: int) -> None:
        """Write down an invoice that came."""
        invoice = Invoice(len(self.invoices) + 1, order_id, upload.filename, upload.size, upload.sha256, moment)
        self.invoices.append(invoice)
        self._keep("invoice", invoice.id, asdict(invoice))
