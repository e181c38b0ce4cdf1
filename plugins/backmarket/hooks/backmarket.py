"""Turns an Airflow connection of type ``backmarket`` into a client of the seller API."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from backmarket import metrics
from backmarket.environment import NoConnectionError, where_connection_is
from backmarket.seller_account import DEFAULT_CONNECTION, DEFAULT_WAREHOUSE, account_named
from backmarket.words import counted_if_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from airflow.sdk import Connection
    from psycopg_pool import ConnectionPool
    from pydantic_core import ErrorDetails

    from backmarket.api.client import BackMarketClient
    from backmarket.api.config import ClientConfig
    from backmarket.api.throttle import Throttle
    from backmarket.services.frames import FrameKind, OrderFrames


class BackMarketHook(BaseHook):
    """Opens the seller API of the account that a connection names.

    :param backmarket_conn_id: the connection: ``host`` is the platform, ``password`` the token, ``extra`` has
        ``market`` and ``user_agent``.
    :param warehouse_conn_id: the database through which all workers share Back Market's rate limit; None
        limits this process alone, for a single cheap call.
    :param account: whose limit it is; None: the connection's id without ``backmarket_``.
    """

    conn_name_attr = "backmarket_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "backmarket"
    hook_name = "Back Market"

    def __init__(
        self,
        backmarket_conn_id: str = default_conn_name,
        warehouse_conn_id: str | None = DEFAULT_WAREHOUSE,
        *,
        account: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.backmarket_conn_id = backmarket_conn_id
        self.warehouse_conn_id = warehouse_conn_id
        self.account = account_named(account, backmarket_conn_id)
        self._client: BackMarketClient | None = None
        self._pool: ConnectionPool | None = None

    @cached_property
    def config(self) -> ClientConfig:
        """The connection, checked.

        :raises NoConnectionError: where Airflow gives no such connection.
        :raises ConnectionFormError: where a field is missing or malformed, naming it and what is accepted.
        """
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            connection = self.get_connection(self.backmarket_conn_id)
        except AirflowNotFoundException:
            raise NoConnectionError(self.backmarket_conn_id, self.hook_name) from None
        return _checked(self.backmarket_conn_id, connection)

    def get_conn(self) -> BackMarketClient:
        """Return the client, opened at the first call; close it with :meth:`close`."""
        from backmarket.api.client import BackMarketClient

        if self._client is None:
            # A line for each of a thousand pages would bury what a person looks for in a task's log.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            self._client = BackMarketClient(self.config, self._throttle())
        return self._client

    def test_connection(self) -> tuple[bool, str]:
        """Validate the token with one cheap read; what the Test button of the connection form calls."""
        from backmarket.api.client import BackMarketClient
        from backmarket.api.errors import BackMarketError

        try:
            with BackMarketClient(self.config) as client:
                orders = client.count_orders()
        except ConnectionFormError as error:
            # Without the connection's name: the Test button tries a copy that Airflow names at random.
            return False, f"{error.reasons}. Correct it in this connection."
        except BackMarketError as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - Airflow shows the text; a trace could carry the token
            return False, f"The connection could not be tested: {type(error).__name__}."
        return True, (
            f"The token is valid: {self.config.base_url} answers for platform {self.config.platform}, "
            f"{counted_if_known(orders, 'order')} {'is' if orders == 1 else 'are'} visible."
        )

    def get_df(self, kind: FrameKind, **filters: Any) -> pd.DataFrame:
        """Read what Back Market serves into a frame of pandas, within the same limits as all reads.

        Columns are those of :data:`backmarket.services.frames.COLUMNS`: nullable ``Int64``, ``string`` and ``boolean``,
        times in UTC, amounts as :class:`~decimal.Decimal`. There is no personal data among them. A document that cannot
        be understood is left out and named in the log.

        :param kind: ``orders``, ``order_lines``, or ``listings``, a row each listing and market.
        :param filters: of orders and their lines ``date_modification`` and ``date_creation`` (that moment or later;
            aware), ``state``, ``country_code``; of listings ``market`` (one or several; the connection's if not given)
            and ``publication_state``.
        :raises BackMarketError: where not all could be read: there is no frame of half of it.
        """
        from backmarket.services.frames import check_filters, listing_frame

        check_filters(kind, filters)
        if kind == "listings":
            with self._for_one_reading() as client:
                return listing_frame(client, self.log, **filters)
        orders, order_lines = self.to_frames(**filters)
        return orders if kind == "orders" else order_lines

    def to_frames(self, **filters: Any) -> OrderFrames:
        """Read orders once, into a frame of orders and one of their lines; ``order_id`` joins them.

        :param filters: of orders, as :meth:`get_df` takes them.
        :raises BackMarketError: as :meth:`get_df`.
        """
        from backmarket.services.frames import check_filters, order_frames

        check_filters("orders", filters)
        with self._for_one_reading() as client:
            return order_frames(client, self.log, **filters)

    @contextmanager
    def _for_one_reading(self) -> Iterator[BackMarketClient]:
        """Lend the client; one that was not open before is closed again."""
        was_open = self._client is not None
        try:
            yield self.get_conn()
        finally:
            if not was_open:
                self.close()

    def close(self) -> None:
        """Close the client and what it holds open in the database."""
        if self._client is not None:
            metrics.send("requests", self._client.requests_made, account=self.account)
            self._client.close()
            self._client = None
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> BackMarketClient:
        return self.get_conn()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _throttle(self) -> Throttle:
        from backmarket.api.throttle import CATALOG_RATES, GENERAL_RATES, Throttle
        from backmarket.warehouse.rate_limit import open_pool, shared_bucket

        if self.warehouse_conn_id is None:
            return Throttle.in_memory()
        self._pool = pool = open_pool(self.warehouse_conn_id)
        return Throttle(
            general=shared_bucket(pool, self.account, "general", GENERAL_RATES),
            catalog=shared_bucket(pool, self.account, "catalog", CATALOG_RATES),
            open_bucket=lambda kind, rates: shared_bucket(pool, self.account, kind, rates),
        )


# What the connection form calls each field; see the provider's information.
_LABELS = {"base_url": "Platform", "token": "Token", "market": "Market", "user_agent": "User agent"}


class ConnectionFormError(ValueError):
    """A field of the connection is missing or malformed.

    :param conn_id: the connection.
    :param reasons: the fields at fault and what each accepts.
    """

    def __init__(self, conn_id: str, reasons: str) -> None:
        super().__init__(conn_id, reasons)
        self.conn_id = conn_id
        self.reasons = reasons

    def __str__(self) -> str:
        """Say what is wrong with which connection, and where to correct it."""
        where = where_connection_is(self.conn_id)
        return f"Connection {self.conn_id} cannot be used: {self.reasons}. Correct it {where}."


def _checked(conn_id: str, connection: Connection) -> ClientConfig:
    """Read a client's configuration from a connection, and keep its token out of all logs."""
    from airflow.sdk.log import mask_secret

    from backmarket.api.config import ClientConfig

    extra = connection.extra_dejson
    token = connection.password or ""
    if token:
        mask_secret(token)
        mask_secret(f"Basic {token}")
    try:
        return ClientConfig.model_validate(
            {
                "base_url": _base_url(connection.host),
                "token": token,
                "market": extra.get("market") or "fr-fr",
                "user_agent": extra.get("user_agent") or "",
            }
        )
    except ValueError as error:
        raise ConnectionFormError(conn_id, _reasons(error)) from None


def _base_url(host: str | None) -> str:
    """Return the platform's address: people write the host with and without a scheme."""
    host = (host or "").strip().rstrip("/")
    return host if "://" in host or not host else f"https://{host}"


def _reasons(error: ValueError) -> str:
    """Name the fields at fault as the form does, without repeating what was typed into them: one is the token."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(_reason(each) for each in error.errors(include_input=False))


def _reason(error: ErrorDetails) -> str:
    fields = [_LABELS.get(str(field), str(field)) for field in error["loc"]]
    return " ".join([*fields, str(error.get("ctx", {}).get("error", error["msg"]))])
