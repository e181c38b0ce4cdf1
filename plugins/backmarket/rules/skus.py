"""When two SKUs are one: Back Market takes no notice of case, and nobody sees the blanks around a name."""

from __future__ import annotations

from functools import lru_cache

# What surrounds a SKU that was copied from a page or a spreadsheet, and does not show. The function
# backmarket.clean_sku() in the database strips the same; a test holds the two together.
BLANKS = (
    " \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_TO_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def clean_sku(sku: str) -> str:
    """Return a SKU without the blanks around it."""
    return sku.strip(BLANKS)


@lru_cache(maxsize=2**16)
def sku_key(sku: str) -> str:
    """Return what two spellings of one SKU have in common: neither blanks around it nor case make another SKU.

    Only the letters A to Z have a case here, as in the database, whose language does not matter.
    """
    return clean_sku(sku).translate(_TO_LOWER)
