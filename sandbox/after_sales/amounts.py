"""What was paid for a line, and how amounts of a currency are written."""

from decimal import Decimal
from typing import Any

from sandbox.markets import decimals

_SYMBOLS = {"EUR": "€", "GBP": "£", "SEK": "kr", "USD": "$", "JPY": "¥", "AUD": "$"}


def paid_for(line: dict[str, Any]) -> Decimal:
    """Give what a customer paid for a line: price and shipping of each unit."""
    return (Decimal(line["price"]) + Decimal(line["shipping_price"])) * int(line["quantity"])


def in_currency(amount: Decimal, currency: str) -> Decimal:
    """Give an amount with exactly the currency's decimals; raises ValueError where it has more."""
    exact = amount.quantize(Decimal(1).scaleb(-decimals(currency)))
    if exact != amount:
        raise ValueError(f"{amount} has more decimals than {currency}")
    return exact


def with_symbol(amount: str, currency: str) -> str:
    """Write an amount as the summary of a refund does."""
    return f"{amount}{_SYMBOLS.get(currency, currency)}"
