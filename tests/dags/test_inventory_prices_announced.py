"""The asset of quantities tells of each at least once, however the task that sent it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backmarket.operators.inventory_prices import BackMarketInventoryUploadOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    import pytest

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run


def test_what_the_first_try_sent_is_told_though_the_second_finds_nothing_to_send(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process dies after its quantities are confirmed; the next run tells of none."""
    for listing in connected.listings()[:3]:
        database.execute(
            b"insert into seller.stock (sku, quantity, counted_at) values (%s, %s, now())",
            [listing["sku"], listing["quantity"] + 1],
        )
    execute, tries = BackMarketInventoryUploadOperator.execute, []

    def die_once(self: BackMarketInventoryUploadOperator, context: Any) -> Any:
        counts = execute(self, context)
        tries.append(counts.get("confirmed", 0))
        if len(tries) == 1:
            raise RuntimeError("killed")
        return counts

    monkeypatch.setattr(BackMarketInventoryUploadOperator, "execute", die_once)
    switch_on("inventory_upload")
    run = run_dag("backmarket_inventory_prices")
    assert run.state == "success"
    assert tries == [3, 0]
    assert run.xcoms["announce_inventory"]["confirmed"] == 3
    assert run_dag("backmarket_inventory_prices").tasks["announce_inventory"] == "skipped"
