"""The Airflow assets that tell other DAGs that data has changed."""

from __future__ import annotations

from airflow.sdk import Asset

ORDERS = Asset(name="backmarket/orders", uri="backmarket://orders", group="backmarket")
LISTINGS = Asset(name="backmarket/listings", uri="backmarket://listings", group="backmarket")
PRICE_QUESTIONS = Asset(name="backmarket/price_questions", uri="backmarket://price_questions", group="backmarket")
PRICE_ANSWERS = Asset(name="backmarket/price_answers", uri="backmarket://price_answers", group="backmarket")
