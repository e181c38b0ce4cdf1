"""The Airflow assets that tell other DAGs that data has changed."""

from __future__ import annotations

from airflow.sdk import Asset

from backmarket.seller_account import DEFAULT_ACCOUNT

THINGS = ("orders", "listings", "inventory", "shipments", "settlements", "price_questions", "price_answers")


def asset(thing: str, account: str = DEFAULT_ACCOUNT) -> Asset:
    """Return the asset of one of :data:`THINGS` of an account: ``backmarket://orders``, ``backmarket://us/orders``."""
    if thing not in THINGS:
        raise ValueError(f"There is no asset {thing!r}: {', '.join(THINGS)}.")
    path = thing if account == DEFAULT_ACCOUNT else f"{account}/{thing}"
    return Asset(name=f"backmarket/{path}", uri=f"backmarket://{path}", group="backmarket")
