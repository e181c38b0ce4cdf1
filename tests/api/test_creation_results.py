"""A batch whose status Back Market refuses keeps no other from being settled, and is given up at its age."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.errors import AuthenticationError
from backmarket.services.creation_batches import CreationResults
from backmarket.triggers.batch import have_ended
from backmarket.warehouse.ledger import Ledger, PlannedChange
from tests.api.hostile_server import Reply

if TYPE_CHECKING:
    import psycopg

    from backmarket.api.client import BackMarketClient
    from tests.api.hostile_server import HostileServer, Seen

SICK, HEALTHY = 7, 8
DONE = {"task_id": HEALTHY, "action_status": 9, "result": {"product_errors": {"SKU-8": "no match"}}}
REFUSED = Reply({"error": {"code": "bad_request", "message": "no such action"}}, status=400)


@pytest.fixture
def ledger(warehouse: psycopg.Connection[Any]) -> Ledger:
    """Two lines that went out, each in a batch of its own."""
    found = Ledger(warehouse, "default", "listing")
    skus = [f"SKU-{batch_id}" for batch_id in (SICK, HEALTHY)]
    found.plan([PlannedChange(sku, {"market": "fr-fr", "columns": {"sku": sku}}) for sku in skus], run_id="run")
    for change, batch_id in zip(found.planned(), (SICK, HEALTHY), strict=True):
        found.mark_sent([change], in_batch=True)
        found.record_batch([change.change_id], batch_id)
    return found


def _play(server: HostileServer, sick: Reply) -> None:
    def play(request: Seen) -> Reply:
        if request.path == f"/ws/tasks/{SICK}":
            return sick
        return Reply(DONE) if request.path == f"/ws/tasks/{HEALTHY}" else Reply({}, status=404)

    server.play = play


def _settle(ledger: Ledger, client: BackMarketClient) -> dict[str, tuple[str, str | None]]:
    minute = timedelta(minutes=1)
    log = logging.getLogger()
    CreationResults(ledger, client, poll=minute, patience=minute, deadline=minute, log=log).settle()
    rows = ledger.connection.execute("select subject, status, reason from backmarket.changes").fetchall()
    return {sku: (status, reason) for sku, status, reason in rows}


@pytest.mark.parametrize(
    "sick",
    [REFUSED, Reply({}, status=403), Reply(reset=True), Reply({}, status=500), Reply("<html>")],
    ids=["refused", "forbidden", "reset", "failed", "malformed"],
)
def test_a_batch_whose_status_fails_is_still_running(
    ledger: Ledger, client: BackMarketClient, server: HostileServer, caplog: pytest.LogCaptureFixture, sick: Reply
) -> None:
    """It is named with its number; the line of the other batch is settled; after a day its own is given up."""
    _play(server, sick)
    with caplog.at_level("WARNING"):
        found = _settle(ledger, client)
    assert found == {"SKU-7": ("sent", None), "SKU-8": ("refused", "Back Market: no match")}
    assert f"Batch {SICK} " in caplog.text
    ledger.connection.execute("update backmarket.changes set sent_at = sent_at - interval '25 hours'")
    status, reason = _settle(ledger, client)["SKU-7"]
    assert status == "refused"
    assert "never finished the batch" in str(reason)


def test_what_concerns_all_batches_stops_the_settling(
    ledger: Ledger, client: BackMarketClient, server: HostileServer
) -> None:
    """A revoked token says nothing of any batch."""
    _play(server, Reply({}, status=401))
    with pytest.raises(AuthenticationError):
        _settle(ledger, client)


def test_a_batch_whose_status_fails_does_not_end_the_wait_for_others(
    client: BackMarketClient, server: HostileServer
) -> None:
    """The task would look, find it running, and wait anew, without a pause."""
    _play(server, REFUSED)
    assert not have_ended(client, [SICK, HEALTHY])
    assert have_ended(client, [HEALTHY])
