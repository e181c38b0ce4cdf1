"""The documents of the seller API, under Back Market's own names."""

from backmarket.api.models.backbox import Competitor, Competitors, MonetaryAmount
from backmarket.api.models.care import CareFolder, CareFolderPage, CareMessage, ReturnLabel
from backmarket.api.models.catalog import Attribute, Batch, Category, CategoryTree
from backmarket.api.models.document import Unreadable
from backmarket.api.models.listing import Listing, ListingPage, Shipping
from backmarket.api.models.order import Address, Order, OrderLine, OrderPage
from backmarket.api.models.shipping import Delivery, DeliveryPage, Return, ReturnPage

__all__ = [
    "Address",
    "Attribute",
    "Batch",
    "CareFolder",
    "CareFolderPage",
    "CareMessage",
    "Category",
    "CategoryTree",
    "Competitor",
    "Competitors",
    "Delivery",
    "DeliveryPage",
    "Listing",
    "ListingPage",
    "MonetaryAmount",
    "Order",
    "OrderLine",
    "OrderPage",
    "Return",
    "ReturnLabel",
    "ReturnPage",
    "Shipping",
    "Unreadable",
]
