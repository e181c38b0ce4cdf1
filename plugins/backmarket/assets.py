"""The Airflow assets that tell other DAGs that data has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Asset

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Answer Airflow, which asks how an address ``backmarket://…`` is written: as it is, if it names something.

    :raises ValueError: where it names nothing.
    """
    if not uri.netloc:
        raise ValueError(f"{uri.geturl()} names no asset of Back Market; backmarket://orders does.")
    return uri


ORDERS = Asset(name="backmarket/orders", uri="backmarket://orders", group="backmarket")
LISTINGS = Asset(name="backmarket/listings", uri="backmarket://listings", group="backmarket")
PRICE_QUESTIONS = Asset(name="backmarket/price_questions", uri="backmarket://price_questions", group="backmarket")
PRICE_ANSWERS = Asset(name="backmarket/price_answers", uri="backmarket://price_answers", group="backmarket")
