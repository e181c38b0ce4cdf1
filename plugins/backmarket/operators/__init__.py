"""All operators, by name: ``from backmarket.operators import BackMarketOrderDownloadOperator``.

A name imports its own module and no other: a DAG file should not wait for what it does not use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "account": "BackMarketAccountCheckOperator",
    "alerts": "BackMarketAttentionAlertOperator BackMarketPurgeHistoryOperator",
    "base": "BackMarketAnnouncementOperator BackMarketOperator BackMarketOrderChangesOperator",
    "gate": "BackMarketGateOperator",
    "inventory_prices": "BackMarketInventoryListingRefreshOperator BackMarketInventoryPlanOperator"
    " BackMarketInventoryUploadOperator BackMarketOfferRefreshOperator BackMarketPriceBatchResultsOperator"
    " BackMarketPriceQuestionOperator BackMarketPricesPlanOperator BackMarketPricesUploadOperator"
    " BackMarketUploadSummaryOperator",
    "items_check": "BackMarketItemsCheckOperator",
    "listings": "BackMarketActiveListingDownloadOperator BackMarketCategoryDownloadOperator"
    " BackMarketListingAnnouncementOperator BackMarketListingCreationCheckOperator"
    " BackMarketListingCreationOperator BackMarketListingCreationPlanOperator"
    " BackMarketListingCreationResultsOperator BackMarketMarketsOperator",
    "orders": "BackMarketOpenOrderRefreshOperator BackMarketOrderAcceptanceOperator"
    " BackMarketOrderAnnouncementOperator BackMarketOrderDownloadOperator BackMarketPaidOrderRefreshOperator"
    " BackMarketPurgePersonalDataOperator",
    "prepare_warehouse": "BackMarketPrepareWarehouseOperator",
    "price_approval": "BackMarketPriceApprovalOperator",
    "sending": "BackMarketBatchWaitingOperator BackMarketSendingOperator",
    "settlements": "BackMarketReconciliationOperator BackMarketSettlementDownloadOperator"
    " BackMarketSettlementOrderReadOperator BackMarketSettlementReportOperator",
    "tracking_imei": "BackMarketImeiUpdateOperator BackMarketShipByAlertOperator"
    " BackMarketShipmentOrderRefreshOperator BackMarketTrackingUploadOperator",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a second list of all names could differ


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
