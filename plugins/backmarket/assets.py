"""The Airflow assets that tell other DAGs that data has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Asset

from backmarket.seller_account import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from urllib.parse import SplitResult

THINGS = (
    "orders",
    "listings",
    "inventory",
    "shipments",
    "settlements",
    "seller_inbox",
    "seller_tables",
    "price_questions",
    "price_answers",
    "refund_questions",
    "refund_answers",
)


def asset(thing: str, account: str = DEFAULT_ACCOUNT) -> Asset:
    """Return the asset of one of :data:`THINGS` of an account: ``backmarket://orders``, ``backmarket://us/orders``."""
    if thing not in THINGS:
        raise ValueError(f"There is no asset {thing!r}: {', '.join(THINGS)}.")
    path = thing if account == DEFAULT_ACCOUNT else f"{account}/{thing}"
    return Asset(name=f"backmarket/{path}", uri=f"backmarket://{path}", group="backmarket")


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Answer Airflow, which asks how an address ``backmarket://…`` is written: as it is, if it names something.

    :raises ValueError: where it names nothing.
    """
    if not uri.netloc:
        raise ValueError(f"{uri.geturl()} names no asset of Back Market; backmarket://orders does.")
    return uri
