"""Stores listings and their offers, and what became of each row of ``seller.catalog``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from backmarket.rules.catalog import Attribute, CatalogRow, LeafCategory
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.jsonb import clean, dump
from backmarket.warehouse.seller_rows import CATALOG, LeftOut, SellerRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from backmarket.api.models import Category, Listing
    from backmarket.rules.catalog import Kind
    from backmarket.warehouse.connection import Connection


# The columns of listings/copy_listings.sql between market and document, in their order.
_FIELDS = (
    "id listing_id sku product_id backmarket_id title grade state quantity warranty_delay new_battery price currency"
    " min_price max_price publication_state comment"
).split()


class MergeCounts(NamedTuple):
    """What a merge did: offers (a listing in a market) new, changed and unchanged."""

    new: int
    changed: int
    unchanged: int


@dataclass
class ListingStaging:
    """A temporary table on one connection that collects readings until :meth:`merge` stores them.

    Nothing is visible to others, and nothing is left behind, until then.
    """

    connection: Connection
    account: str

    def __post_init__(self) -> None:
        self.connection.execute(sql.statement("listings/stage_listings"))
        self.connection.execute("truncate staged_listings")

    def add(self, listings: Iterable[Listing], market: str, *, read_at: datetime) -> None:
        """Stage listings as one market showed them; of several readings the latest will be stored.

        :param read_at: Back Market's own time of the reading, where it is known.
        """
        with (
            self.connection.cursor() as cursor,
            cursor.copy(sql.statement("listings/copy_listings")) as copy,
        ):
            for listing in listings:
                copy.write_row((read_at, market, *_values(listing), dump(listing.document)))

    def merge(self) -> MergeCounts:
        """Store what was staged; to be called in a transaction."""
        parameters = {"account": self.account}
        _take_turns(self.connection, self.account)
        self.connection.execute(sql.statement("quarantine/release_listings"), parameters)
        row = self.connection.execute(sql.statement("listings/merge_listings"), parameters).fetchone()
        return MergeCounts(*row or ())


def store_readings(
    connection: Connection, account: str, market: str, listings: Iterable[Listing], *, read_at: datetime
) -> MergeCounts:
    """Store fresh readings of one or many listings in one market; a stored reading that is later stays.

    This says nothing about listings that are missing; :func:`mark_gone` does, after a complete read.

    :param read_at: when they were read; take it before the request where Back Market's time is not at hand.
    """
    staging = ListingStaging(connection, account)
    with connection.transaction():
        staging.add(listings, market, read_at=read_at)
        return staging.merge()


def mark_gone(
    connection: Connection,
    account: str,
    market: str,
    *,
    markets: Iterable[str],
    seen: Iterable[UUID],
    since: datetime,
) -> int:
    """Mark the offers of a market that a complete read did not hold as gone; to be called in a transaction.

    :param markets: all markets that are read: a listing is gone when none of them has an offer of it.
    :param seen: what the read held, documents that could not be understood included.
    :param since: when the read began; what was stored later is not judged.
    :return: how many offers are gone now that were not before.
    """
    parameters = {
        "account": account,
        "market": market,
        "markets": list(markets),
        "seen": list(seen),
        "since": since,
    }
    _take_turns(connection, account)
    row = connection.execute(sql.statement("listings/mark_gone"), parameters).fetchone()
    return int(row[0]) if row else 0


def _take_turns(connection: Connection, account: str) -> None:
    """Wait for other merges of the account to end: two that change the same listings would block each other."""
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"listings/{account}"])


def _values(listing: Listing) -> list[Any]:
    values = (getattr(listing, name) for name in _FIELDS)
    return [clean(value) if isinstance(value, str) else value for value in values]


Verdict = Literal["listed", "under way", "ready", "refused"]


class Check(NamedTuple):
    """What a run found of one row of ``seller.catalog``.

    :param reasons: why it is refused; empty otherwise.
    """

    sku: str
    market: str
    verdict: Verdict
    reasons: list[str]


@dataclass(frozen=True)
class Catalog:
    """The seller's catalog of one account, and what the database knows about its SKUs."""

    connection: Connection
    account: str

    def rows(self) -> list[CatalogRow]:
        """Return all rows that name a SKU, by SKU; each names its columns that cannot be read."""
        return self.read()[0]

    def read(self) -> tuple[list[CatalogRow], SellerRows[CatalogRow]]:
        """Return all rows that name a SKU, by SKU; and the whole table, as rows that can be read and that cannot."""
        named: list[CatalogRow] = []
        whole: list[CatalogRow] = []
        left_out: list[LeftOut] = []
        statement = sql.statement("listings/select_catalog")
        for texts in feeds.select(self.connection, CATALOG.table, statement, {"account": self.account}):
            given = dict(zip(CATALOG.columns, texts, strict=True))
            values, reasons = CATALOG.values_of(given)
            if reasons:
                left_out.append(CATALOG.left_out(given, reasons.values()))
            if "sku" in reasons:
                continue
            row = CatalogRow(**values, unreadable=reasons)
            named.append(row)
            if not reasons:
                whole.append(row)
        return named, SellerRows(CATALOG.table, "sku", whole, left_out)

    def listed(self) -> set[str]:
        """Return the SKUs that have a listing, in lower case."""
        return {row[0] for row in self._select("select_listed_skus")}

    def proposed(self) -> set[str] | None:
        """Return the SKUs of ``seller.catalog``, in lower case: of these a listing is to be created.

        :return: None where the table cannot be read.
        """
        statement = sql.statement("listings/select_proposed_skus")
        rows = feeds.select_if_readable(self.connection, statement, {"account": self.account})
        return None if rows is None else {row[0] for row in rows}

    def under_way(self) -> set[str]:
        """Return the SKUs, in lower case, of which it is not known yet whether their listing was created."""
        return {row[0] for row in self._select("select_under_way")}

    def refused_by_back_market(self, kind: Kind) -> dict[str, tuple[dict[str, Any], str]]:
        """Return payload and reason of what Back Market refused last, by SKU."""
        return {sku: (payload, reason) for sku, payload, reason in self._select("select_refused", kind=kind)}

    def store_checks(self, kind: Kind, checks: Iterable[Check]) -> None:
        """Replace what was found of one kind of rows, in one transaction."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute(sql.statement("listings/delete_checks"), {"account": self.account, "kind": kind})
            cursor.executemany(
                sql.statement("listings/upsert_check"),
                [{"account": self.account, "kind": kind, **check._asdict()} for check in checks],
            )

    def settle_listed(self, change_ids: Iterable[int]) -> None:
        """Take planned changes out of the queue because their SKUs are listed: by us where they were sent before."""
        self._execute("settle_listed", change_ids=list(change_ids))

    def confirm_appeared(self, kind: Kind) -> None:
        """Confirm planned changes that were sent before and whose listing has appeared since."""
        self._execute("confirm_appeared", kind=kind)

    def categories(self, market: str) -> dict[int, LeafCategory] | None:
        """Return the leaf categories of a market by their number; None where its tree was never read."""
        rows = self._select("select_categories", market=market)
        return {row[0]: LeafCategory(row[0], row[1], row[2] or "", tuple(_attributes(row[3]))) for row in rows} or None

    def categories_read_at(self, market: str) -> datetime | None:
        """Tell when a market's category tree was read; None where it never was."""
        ((read_at,),) = self._select("select_categories_age", market=market)
        found: datetime | None = read_at
        return found

    def store_categories(self, market: str, tree: Iterable[Category], *, read_at: datetime) -> int:
        """Replace a market's category tree, in one transaction.

        :return: how many leaves it has.
        """
        leaves = list(_leaves(tree))
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute(sql.statement("listings/delete_categories"), {"account": self.account, "market": market})
            cursor.executemany(
                sql.statement("listings/insert_category"),
                [
                    {
                        "account": self.account,
                        "market": market,
                        "category_id": leaf.marketplace_category_id,
                        "tree_id": leaf.category_id,
                        "name": clean(leaf.category_name),
                        "attributes": dump([attribute.model_dump() for attribute in leaf.attributes]),
                        "read_at": read_at,
                    }
                    for leaf in leaves
                ],
            )
        return len(leaves)

    def _select(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            sql.statement(f"listings/{name}"), {"account": self.account, **parameters}
        ).fetchall()

    def _execute(self, name: str, **parameters: Any) -> None:
        self.connection.execute(sql.statement(f"listings/{name}"), {"account": self.account, **parameters})


def _leaves(tree: Iterable[Category]) -> Iterator[Category]:
    for category in tree:
        if (category.is_leaf or not category.children) and category.marketplace_category_id is not None:
            yield category
        yield from _leaves(category.children)


def _attributes(documents: Iterable[dict[str, Any]]) -> Iterator[Attribute]:
    for document in documents:
        choices = [choice.strip() for choice in (document["allowed_values"] or "").split(",")]
        yield Attribute(
            document["field"],
            document["type"],
            tuple(choice for choice in choices if choice),
            bool(document["required"]),
        )
