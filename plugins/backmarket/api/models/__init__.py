"""The documents of the seller API, under Back Market's own names."""

from backmarket.api.models.catalog import Attribute, Batch, Category, CategoryTree
from backmarket.api.models.document import Unreadable
from backmarket.api.models.listing import Listing, ListingPage, Shipping
from backmarket.api.models.order import Address, Order, OrderLine, OrderPage

__all__ = [
    "Address",
    "Attribute",
    "Batch",
    "Category",
    "CategoryTree",
    "Listing",
    "ListingPage",
    "Order",
    "OrderLine",
    "OrderPage",
    "Shipping",
    "Unreadable",
]
