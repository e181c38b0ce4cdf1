"""Operators of ``backmarket_price_approval``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.approval import BackMarketApprovalOperator

if TYPE_CHECKING:
    from types import ModuleType

    from backmarket.warehouse.approvals import ApprovalDesk
    from backmarket.warehouse.price_approval import Move


class BackMarketPriceApprovalOperator(BackMarketApprovalOperator):
    """Asks a person about moves of prices, with a table of old and new prices.

    :raises ApprovalAnswerError: where an answer cannot be used; nothing was decided then.
    """

    reads = ("backmarket.changes",)
    writes = ("backmarket.price_approvals",)

    things = "price changes"
    answers = "price_answers"
    decision_days = "price_decision_days"
    approval_hours = "price_approval_hours"

    @property
    def desk(self) -> ApprovalDesk[Move]:
        from backmarket.warehouse.price_approval import DESK

        return DESK

    @property
    def words(self) -> ModuleType:
        from backmarket.services import price_approval

        return price_approval
