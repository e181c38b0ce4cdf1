"""What repricing reads: competitors, moves, and what a sale costs; and what it decided."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime  # noqa: TC003 - read at run time by the named tuples
from decimal import Decimal  # noqa: TC003 - read at run time by the named tuples
from typing import TYPE_CHECKING, NamedTuple

from backmarket.rules.repricing import Move, Wish
from backmarket.rules.skus import sku_key
from backmarket.warehouse import feeds, sql
from backmarket.warehouse.seller_rows import FX_RATES, VAT_RATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date
    from uuid import UUID

    from backmarket.warehouse.connection import Connection


class Standing(NamedTuple):
    """Where a listing stands in a market's BackBox."""

    read_at: datetime
    is_winning: bool
    price_to_win: Decimal | None
    winner_price: Decimal | None


class Competition(NamedTuple):
    """What is known of all competitors of an account.

    :param standings: by listing and market.
    :param asked_at: when it was last answered which BackBoxes a listing takes part in.
    """

    standings: dict[tuple[UUID, str], Standing]
    asked_at: dict[UUID, datetime]


class Moves(NamedTuple):
    """When a price was moved from here, and when it was lowered."""

    sent_at: list[datetime]
    lowered_at: list[datetime]


class Decided(NamedTuple):
    """A decision about a price.

    :param sku: the listing's.
    """

    listing_id: UUID
    market: str
    sku: str
    currency: str
    move: Move
    margin_pct: Decimal | None


def read_competition(connection: Connection, account: str) -> Competition:
    """Return where all listings stand."""
    parameters = {"account": account}
    standings = connection.execute(sql.statement("repricing/select_standings"), parameters)
    askings = connection.execute(sql.statement("repricing/select_askings"), parameters)
    return Competition(
        {(listing_id, market): Standing(*row) for listing_id, market, *row in standings},
        dict(askings.fetchall()),
    )


def read_moves(connection: Connection, account: str, *, since: datetime) -> dict[tuple[str, str], Moves]:
    """Return the moves since a moment that may have been applied, by market and SKU as :func:`sku_key` gives it."""
    found: dict[tuple[str, str], Moves] = defaultdict(lambda: Moves([], []))
    parameters = {"account": account, "since": since}
    for sku, market, at, is_lower in connection.execute(sql.statement("repricing/select_moves"), parameters):
        moves = found[sku_key(sku), market]
        moves.sent_at.append(at)
        if is_lower:
            moves.lowered_at.append(at)
    return found


def commissions(connection: Connection, account: str, sku_keys: Collection[str]) -> dict[str, Decimal]:
    """Return Back Market's commission on these SKUs, in per cent, by :func:`~backmarket.rules.skus.sku_key`."""
    parameters = {"account": account, "sku_keys": list(sku_keys)}
    return dict(connection.execute(sql.statement("repricing/select_commissions"), parameters).fetchall())


def counted_skus(connection: Connection, account: str, sku_keys: Collection[str]) -> set[str] | None:
    """Return those of these SKUs that ``seller.stock`` counts, by :func:`~backmarket.rules.skus.sku_key`; None where it
    cannot be read, which whoever counts by it tells."""
    parameters = {"account": account, "sku_keys": list(sku_keys)}
    found = {sku for (sku,) in connection.execute(sql.statement("repricing/select_counted"), parameters)}
    return None if None in found else found


def fee_shares(connection: Connection, account: str) -> dict[str, Decimal]:
    """Return what payment and care cost, in per cent of the sale, by market: as statements of late show it."""
    return dict(connection.execute(sql.statement("repricing/select_fee_shares"), {"account": account}).fetchall())


def vat_rates(connection: Connection, account: str, markets: Collection[str], day: date) -> dict[str, Decimal | None]:
    """Return the VAT of markets on a day, in per cent of the price without it; None where it is not known.

    :raises FeedUnusableError: where ``seller.vat_rates``, which goes before what is known here, cannot be read at all.
    """
    parameters = {"account": account, "markets": list(markets), "day": day}
    return dict(feeds.select(connection, VAT_RATES.table, sql.statement("repricing/select_vat"), parameters))


def exchange_rates(
    connection: Connection, account: str, pairs: Iterable[tuple[str, str]], day: date
) -> dict[tuple[str, str], Decimal | None]:
    """Return what one of a currency is worth in another on a day; None where ``seller.fx_rates`` does not say.

    :raises FeedUnusableError: where that cannot be read at all.
    """
    wanted = list(pairs)
    parameters = {
        "account": account,
        "from_currencies": [given for given, _ in wanted],
        "to_currencies": [needed for _, needed in wanted],
        "day": day,
    }
    rows = feeds.select(connection, FX_RATES.table, sql.statement("repricing/select_rates"), parameters)
    return {(given, needed): rate for given, needed, rate in rows}


def store_decisions(connection: Connection, account: str, decisions: Iterable[Decided], *, now: datetime) -> None:
    """Keep the newest decision about each price, in one transaction."""
    with connection.transaction():
        connection.execute(sql.statement("repricing/stage_decisions"))
        connection.execute("truncate decided_prices")
        with connection.cursor() as cursor, cursor.copy(sql.statement("repricing/copy_decisions")) as copy:
            for each in decisions:
                move = each.move
                figures = (move.price, move.floor, move.ceiling, move.margin, each.margin_pct)
                named = (each.listing_id, each.market, each.sku, each.currency)
                copy.write_row((*named, *figures, move.verdict, move.reason))
        connection.execute(sql.statement("repricing/merge_decisions"), {"account": account, "decided_at": now})


def read_wishes(connection: Connection, account: str, *, since: datetime) -> dict[tuple[UUID, str], Wish]:
    """Return what repricing wants of the prices that it moves, by listing and market.

    :param since: what was decided before this moves nothing: the price stays as it is shown.
    """
    rows = connection.execute(sql.statement("repricing/select_wishes"), {"account": account, "since": since})
    return {(listing_id, market): Wish(*wish) for listing_id, market, *wish in rows}
