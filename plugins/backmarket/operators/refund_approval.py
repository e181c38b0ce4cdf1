"""Operators of ``backmarket_refund_approval``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backmarket.operators.approval import BackMarketApprovalOperator

if TYPE_CHECKING:
    from types import ModuleType

    from backmarket.warehouse.approvals import ApprovalDesk
    from backmarket.warehouse.refund_approval import RefundQuestion


class BackMarketRefundApprovalOperator(BackMarketApprovalOperator):
    """Asks a person about refunds, with a table of orders and amounts.

    :raises ApprovalAnswerError: where an answer cannot be used; nothing was decided then.
    """

    reads = ("backmarket.changes",)
    writes = ("backmarket.refund_approvals",)

    things = "refunds"
    answers = "refund_answers"
    decision_days = "refund_decision_days"
    approval_hours = "refund_approval_hours"

    @property
    def desk(self) -> ApprovalDesk[RefundQuestion]:
        from backmarket.warehouse.refund_approval import DESK

        return DESK

    @property
    def words(self) -> ModuleType:
        from backmarket.services import refund_approval

        return refund_approval
