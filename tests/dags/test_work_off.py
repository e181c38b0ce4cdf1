"""What Back Market refused, and a person has tried again: it is planned and sent anew, and only then."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.concerns import STEMS
from backmarket.services.work_off import work_off
from backmarket.warehouse.needs import need_of, read_need
from backmarket.warehouse.snapshot import writer
from tests.dags.test_inventory_prices import all_of, offered, posts, price, priced, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

__all__ = ["upload"]


class KilledError(Exception):
    """As if the process had ended here."""


def try_again(*, is_killed: bool = False) -> int:
    """Have everything tried again that was refused."""
    kind = need_of("refused")
    assert kind is not None
    with writer("default") as database:
        need = read_need(database, kind, STEMS, most=None, answer_hours=20)
        done = work_off(database, need, need.items, "retried", comment="", by="kim")
        if is_killed:
            raise KilledError
    return len(done.items)


def test_a_refused_price_is_sent_again_only_after_a_person_asked(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """By itself exactly this is not sent again within a day; a retry that is killed midway has not happened."""
    (sku,) = priced(connected, 1)
    wanted = (offered(connected, sku) * Decimal("1.01")).quantize(Decimal("0.01"))
    price(database, sku, str(wanted))
    connected.fault("field_refused", method="POST", fields={"price": None}, times=None)
    upload()
    connected.clear_faults()
    connected.clear_journal()
    upload()
    with pytest.raises(KilledError):
        try_again(is_killed=True)
    upload()
    assert posts(connected) == []
    assert all_of(database, "select * from backmarket.need_marks") == []
    assert try_again() == 1
    upload()
    assert offered(connected, sku) == wanted
    assert len(posts(connected)) == 1
    rows = all_of(database, "select status, tried_again_by from backmarket.changes order by change_id")
    assert rows == [("superseded", "kim"), ("confirmed", None)]
    assert try_again() == 0


def test_a_move_that_nobody_decided_in_time_is_asked_about_again_after_a_retry(
    upload: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Expired is no person's no."""
    (sku,) = priced(connected, 1)
    price(database, sku, str((offered(connected, sku) / 2).quantize(Decimal("0.01"))))
    upload()
    database.execute(
        "insert into backmarket.price_approvals (account, sku, market, old_price, new_price, currency, reason, status, "
        "run_id, decided_at) select account, subject, market, (payload ->> 'old_price')::numeric, "
        "(payload ->> 'price')::numeric, 'EUR', '', 'expired', 'r', now() from backmarket.changes"
    )
    upload()
    assert all_of(database, "select status from backmarket.changes order by change_id")[-1] == ("refused",)
    assert try_again() == 1
    assert upload().xcoms["ask_for_price_approval"] == 1
