"""Rows of the seller's tables whose account is misspelt are named, by the account that is most likely meant."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import dict_row

from backmarket.services.unclaimed_rows import report_unclaimed_rows
from backmarket.warehouse.needs import read_needs
from backmarket.warehouse.snapshot import Reader, relations_of

if TYPE_CHECKING:
    import psycopg

LOG = logging.getLogger(__name__)


@pytest.fixture
def shared(warehouse: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A database that two accounts share."""
    warehouse.execute(
        "insert into backmarket.accounts (account, host, token_fingerprint) "
        "values ('default', 'www.backmarket.fr', 'f'), ('us', 'www.backmarket.com', 'g')"
    )
    return warehouse


def _told(warehouse: psycopg.Connection[Any], account: str) -> dict[str, str]:
    """Return what the page says."""
    query = warehouse.cursor(row_factory=dict_row)
    needs = read_needs(
        Reader(query, account, relations_of("needs_unclaimed_rows") | relations_of("needs_left")),  # type: ignore[arg-type]
        ["account"],
        most=9,
        answer_hours=20,
    )
    return {item["subject"]: item["detail"] for need in needs for item in need.items}


def test_a_misspelt_account_is_named_with_the_nearest(
    shared: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """By one account alone, in its log and on its page, until it is corrected."""
    shared.execute(
        "insert into seller.stock (account, sku, quantity, counted_at) "
        "select account, 'SKU-' || n, 1, now() from generate_series(1, 3) as n, "
        "(values ('default'), ('us'), ('defualt')) as of (account)"
    )
    shared.execute("insert into seller.shipments (account, order_id) values ('US ', 1)")
    with caplog.at_level(logging.WARNING):
        assert report_unclaimed_rows(shared, "default", LOG) == 3
    (message,) = caplog.messages
    assert message == (
        "seller.stock has 3 rows for account 'defualt', which nobody runs here; the nearest is 'default'. Nothing "
        "reads them: correct column account. Known: default, us."
    )
    assert report_unclaimed_rows(shared, "us", LOG) == 1
    meant = "for an account that nobody runs here; meant is most likely"
    assert _told(shared, "default") == {"seller.stock · defualt": f"3 rows {meant} default"}
    assert _told(shared, "us") == {"seller.shipments · US ": f"1 row {meant} us"}
    shared.execute("delete from seller.stock where account = 'defualt'")
    assert report_unclaimed_rows(shared, "default", LOG) == 0
    assert _told(shared, "default") == {}


def test_a_table_that_cannot_be_looked_at_costs_no_other(
    shared: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A view without accounts, and one with empty ones."""
    shared.execute("drop table seller.stock")
    shared.execute("create view seller.stock as select 1 as sku")
    shared.execute("drop table seller.devices")
    shared.execute("create view seller.devices as select null::text as account")
    with caplog.at_level(logging.WARNING):
        assert report_unclaimed_rows(shared, "default", LOG) == 1
    assert "seller.stock could not be looked at: UndefinedColumn" in caplog.messages
    assert list(_told(shared, "default")) == ["seller.devices · (no account)"]
