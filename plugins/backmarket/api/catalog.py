"""Calls about the catalog: categories, and CSV batches that create or change many listings."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from backmarket.api.calls import Calls, as_document
from backmarket.api.errors import MalformedAnswerError, UnreadableDocumentError
from backmarket.api.models.catalog import Batch, CategoryTree, read_tree
from backmarket.api.models.document import Identifier, reason_of

_TREE_PATH = "/ws/category/tree"
_BATCH_PATH = "/ws/listings"


class CatalogCalls(Calls):
    """Creates listings and products in batches, and reads what categories ask of a product."""

    def submit_batch(self, catalog_csv: str, market: str) -> int:
        """Hand in a CSV that creates products and listings, or changes listings; SKUs match in any case.

        :param catalog_csv: at most 15,000 lines under a header; semicolons, double quotes.
        :return: the batch's id, for :meth:`get_task`. Accepted is not done.
        :raises BackMarketError: where ``surely_not_applied`` is False, look for the SKUs before sending again.
        """
        body = {"catalog": catalog_csv, "quotechar": '"', "delimiter": ";", "encoding": "utf-8"}
        answer = self._transport.write("POST", _BATCH_PATH, body, market=market)
        try:
            return _BatchAccepted.model_validate(answer.document).bodymessage
        except ValidationError as error:
            reason = reason_of(error)
        raise MalformedAnswerError(f"no batch id ({reason})", method="POST", path=_BATCH_PATH)

    def get_task(self, task_id: int) -> Batch:
        """Read how far a batch is.

        :raises NotFoundError: if the account has no such batch.
        """
        path = f"/ws/tasks/{task_id}"
        return as_document(Batch, self._transport.read(path), "GET", path)

    def category_tree(self, market: str) -> CategoryTree:
        """Read all categories, named in the market's language; under the stricter limit for the catalog.

        :raises UnreadableDocumentError: carrying the document, where it is no list of categories, has none, or not one
            of them can be understood.
        """
        document = self._transport.read(_TREE_PATH, market=market, kind="catalog").document
        if not isinstance(document, list):
            raise UnreadableDocumentError("document: no list", method="GET", path=_TREE_PATH, document=document)
        tree = read_tree(document)
        if not tree.roots:
            reason = tree.left_out[0].reason if tree.left_out else "document: no category"
            raise UnreadableDocumentError(reason, method="GET", path=_TREE_PATH, document=document)
        return tree


class _BatchAccepted(BaseModel):
    bodymessage: Identifier
