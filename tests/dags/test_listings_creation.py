"""The "out" half of ``backmarket_listings`` inside Airflow, against a running Back Market and a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from backmarket.operators.sending import BackMarketBatchWaitingOperator
from backmarket.warehouse.sku_line_budget import open_sku_line_budget
from sandbox.config import SandboxConfig
from sandbox.server import running_sandbox
from tests.dags.conftest import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from airflow.sdk import DAG

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

SMARTPHONES = 101
NEW_EAN = "4006381333931"


@pytest.fixture
def creation(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Run]:
    """Run ``backmarket_listings`` with both kinds of creation on, and little patience."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_WAIT_SECONDS", "6")
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_DEADLINE_SECONDS", "4")
    switch_on("listing_creation", "product_creation")
    # Within one process Airflow keeps a run's params for the next run, so each run says what it wants.
    return lambda **conf: run_dag("backmarket_listings", **{"retry_refused": False, **conf})


def _row(sandbox: Sandbox, sku: str, **changes: Any) -> dict[str, Any]:
    """A row that is right: another grade of a product that Back Market has."""
    known = sandbox.listings()[0]
    return {
        "sku": sku,
        "product_id": known["product_id"],
        "quantity": 3,
        "price": "199.90",
        "currency": "EUR",
        "market": "fr-fr",
        "grade": "FAIR",
        "warranty_delay": 12,
        "comment": 'Testé; "comme neuf", 📱\nlivré avec câble',
        **changes,
    }


def _product(sandbox: Sandbox, sku: str, **changes: Any) -> dict[str, Any]:
    """A row that is right: a product that Back Market does not have."""
    return _row(
        sandbox,
        sku,
        product_id=None,
        ean=NEW_EAN,
        category_id=SMARTPHONES,
        title='Téléphone "Neuf"; 64 Go 📱',
        description="Ligne 1\nLigne 2; fin",
        brand="Marque",
        price_new="399.00",
        weight=180,
        images=Jsonb(["https://images.example.com/1.jpg"]),
        attributes=Jsonb({"color": "Bleu, nuit", "storage": 64, "unlocked": "Unlocked GSM"}),
        **changes,
    )


def _fill(database: psycopg.Connection[Any], *rows: dict[str, Any]) -> None:
    for row in rows:
        names = ", ".join(row)
        places = ", ".join(f"%({name})s" for name in row)
        database.execute(f"insert into seller.catalog ({names}) values ({places})".encode(), row)


def _all(database: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return database.execute(query.encode()).fetchall()


def _changes(database: psycopg.Connection[Any]) -> dict[str, tuple[str, str, str | None]]:
    rows = _all(database, "select subject, kind, status, reason from backmarket.changes order by change_id")
    return {row[0]: row[1:] for row in rows}


def _created(sandbox: Sandbox, sku: str) -> list[dict[str, Any]]:
    return [listing for listing in sandbox.listings() if listing["sku"] == sku]


def _batches(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [entry for entry in sandbox.journal("POST") if entry["path"] == "/ws/listings"]


@pytest.mark.parametrize("deferrable", [False, True], ids=["in the task", "deferred"])
def test_rows_become_listings_once(
    creation: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    *,
    deferrable: bool,
) -> None:
    """A listing and a product with its listing are created as the row says, whether the wait is deferred or not."""

    def alter(dag: DAG) -> None:
        for task_id in ("listing_creation_results", "product_creation_results"):
            task = dag.get_task(task_id)
            assert isinstance(task, BackMarketBatchWaitingOperator)
            assert task.deferrable
            task.deferrable = deferrable

    _fill(database, _row(connected, "NEW-1"), _product(connected, "NEW-2"))
    run = creation(alter=alter)
    assert run.state == "success", run.tasks
    assert (run.tries["listing_creation_results"], run.tries["product_creation_results"]) == (1, 1)
    assert _changes(database) == {"NEW-1": ("listing", "confirmed", None), "NEW-2": ("product", "confirmed", None)}
    (listing,) = _created(connected, "NEW-1")
    assert listing["product_id"] == connected.listings()[0]["product_id"]
    assert (listing["quantity"], listing["grade"], listing["offers"]["fr-fr"]["price"]) == (3, "FAIR", "199.90")
    assert listing["offers"]["fr-fr"]["comment"] == 'Testé; "comme neuf", 📱\nlivré avec câble'
    (product,) = _created(connected, "NEW-2")
    assert (product["title"], product["ean"]) == ('Téléphone "Neuf"; 64 Go 📱', NEW_EAN)
    assert run.xcoms["announce_listing_creation"]["new"] == 1
    readiness = _all(database, "select sku, verdict, last_status from backmarket.catalog_readiness order by sku")
    assert readiness == [("NEW-1", "ready", "confirmed"), ("NEW-2", "ready", "confirmed")]

    connected.clear_journal()
    again = creation()
    assert again.state == "success"
    assert connected.journal("POST") == []
    assert _all(database, "select distinct verdict from backmarket.catalog_readiness") == [("listed",)]


def test_every_broken_rule_is_told_at_once_and_nothing_is_sent(
    creation: Callable[..., Run],
    connected: Sandbox,
    database: psycopg.Connection[Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A row that breaks every rule is refused with all its reasons, in the ledger, the view and the log."""
    broken = {
        "ean": "4006381333932",
        "quantity": -1,
        "price": 0,
        "currency": "USD",
        "market": "fr-fr",
        "grade": "SHINY",
        "warranty_delay": 6,
        "comment": "x" * 501,
        "title": "x" * 201,
        "description": " ",
        "brand": "x" * 101,
        "price_new": -1,
        "weight": 1,
    }
    images, attributes = Jsonb(["ftp://x/1.jpg"]), Jsonb({"storage": "much", "unlocked": "No", "colour": "red"})
    _fill(
        database,
        {"sku": "Twin", "category_id": 111, "images": images, "attributes": attributes, **broken},
        {"sku": "TWIN", "category_id": SMARTPHONES, "images": images, "attributes": attributes, **broken},
    )
    run = creation()
    assert run.state == "success"
    assert _batches(connected) == []
    rows = dict(_all(database, "select sku, reasons from backmarket.catalog_readiness where verdict = 'refused'"))
    told = "\n".join(rows["TWIN"])
    for expected in (
        "sku occurs more than once", "check digit", "quantity -1", "price 0 is not above 0", "currency USD",
        "grade SHINY", "warranty_delay 6", "comment is longer than 500", "title is longer than 200",
        "description is missing", "brand is longer than 100", "price_new -1", "weight 1",
        "an http or https URL is needed",
        "attribute color is missing", "attribute storage much is not a whole number", "attribute unlocked No",
        "attribute colour is unknown",
    ):  # fmt: skip
        assert expected in told
    assert "category_id 111 is no leaf category: of Smartphones the marketplace_category_id 101" in str(rows["Twin"])
    ledger = _changes(database)
    assert ledger["TWIN"] == ("product", "refused", "; ".join(rows["TWIN"]))
    assert "SKU TWIN is not sent: " + "; ".join(rows["TWIN"]) in "".join(capfd.readouterr())
    creation()
    assert len(_all(database, "select 1 from backmarket.changes")) == 2


def test_a_sku_of_several_rows_is_refused_once_and_not_in_every_run(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A row a market in ``seller.catalog``: one refusal with all reasons, which the next runs know."""
    # As of a view, which has no key.
    database.execute("alter table seller.catalog drop constraint catalog_pkey")
    _fill(
        database,
        _row(connected, "A-1", market="it-it", grade="SHINY"),
        _row(connected, "A-1"),
        _row(connected, "A-1 ", market="de-de", quantity=-1),
    )
    assert creation().xcoms["listing_creation_plan"]["refused"] == 3
    assert creation().state == "success"
    assert _batches(connected) == []
    ((subject, status, reason),) = _all(database, "select subject, status, reason from backmarket.changes")
    assert (subject, status) == ("A-1", "refused")
    for expected in ("sku occurs more than once", "grade SHINY", "quantity -1"):
        assert reason.count(expected) == 1
    assert _all(database, "select array_to_string(reasons, '; ') from backmarket.catalog_readiness") == [(reason,)]


def test_a_dry_run_plans_and_sends_nothing(
    creation: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
) -> None:
    """What would be sent stands in the ledger as dry_run; no write leaves."""
    switch_on(dry_run=True)
    _fill(database, _row(connected, "NEW-1"))
    assert creation().state == "success"
    assert connected.journal("POST") == []
    assert _changes(database) == {"NEW-1": ("listing", "dry_run", None)}
    switch_on(dry_run=False)
    assert creation().state == "success"
    assert len(_created(connected, "NEW-1")) == 1


@pytest.mark.parametrize("change", [{"dry_run": True}, {"listing_creation": False}], ids=["dry run", "off"])
def test_what_is_switched_off_after_the_plan_is_not_sent(
    creation: Callable[..., Run],
    connected: Sandbox,
    switch_on: Callable[..., None],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, bool],
) -> None:
    """The sending skips itself and its line waits; what earlier runs had sent is looked for all the same."""
    from backmarket.warehouse.ledger import Ledger

    honest = Ledger.plan

    def plan(ledger: Ledger, *args: Any, **options: Any) -> None:
        honest(ledger, *args, **options)
        switch_on(**change)

    monkeypatch.setattr(Ledger, "plan", plan)
    _fill(database, _row(connected, "NEW-1"))
    run = creation()
    assert _batches(connected) == []
    assert _changes(database)["NEW-1"] == ("listing", "planned", None)
    assert run.tasks["listing_creation"] == "skipped"
    assert (run.tasks["listing_creation_results"], run.tasks["listing_creation_check"]) == ("success", "success")


def test_errors_inside_a_successful_batch_are_refusals_and_are_not_repeated(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The SKU that Back Market refuses carries its words and fails the run once; the others are created."""
    unknown = "00000000-0000-4000-8000-00000000dead"
    _fill(database, _row(connected, "GOOD-1"), _row(connected, "BAD-1", product_id=unknown))
    run = creation()
    assert run.state == "failed"
    assert run.tasks["listing_creation_check"] == "failed"
    changes = _changes(database)
    assert changes["GOOD-1"] == ("listing", "confirmed", None)
    assert changes["BAD-1"] == ("listing", "refused", f"Back Market: product {unknown} not found")
    assert run.xcoms["listing_creation_results"]["refused"] == 1

    connected.clear_journal()
    assert creation().state == "success"
    assert _batches(connected) == []
    verdicts = dict(_all(database, "select sku, verdict from backmarket.catalog_readiness"))
    assert verdicts == {"GOOD-1": "listed", "BAD-1": "refused"}
    assert creation(retry_refused=True).state == "failed"
    assert len(_batches(connected)) == 1


@pytest.mark.parametrize("kind", ["reset_after", "cut_json", "html_200"])
def test_a_lost_answer_is_settled_by_reading_back(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], kind: str
) -> None:
    """The batch was taken and its answer lost: the SKU appears, is confirmed, and no second batch is sent."""
    _fill(database, _row(connected, "NEW-1"))
    options = {"applied": True} if kind == "html_200" else {}
    connected.fault(kind, method="POST", path_prefix="/ws/listings", **options)
    run = creation()
    assert run.state == "success", run.tasks
    assert len(_batches(connected)) == 1
    assert len(_created(connected, "NEW-1")) == 1
    assert _changes(database)["NEW-1"] == ("listing", "confirmed", None)


def test_a_batch_that_never_arrived_is_sent_again_after_the_deadline(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """The connection broke before Back Market took the batch: unknown until the deadline, then sent once more."""
    _fill(database, _row(connected, "NEW-1"))
    connected.fault("reset_before", method="POST", path_prefix="/ws/listings")
    run = creation()
    assert run.state == "failed"
    assert _changes(database)["NEW-1"][1] == "planned"
    assert creation().state == "success"
    assert len(_created(connected, "NEW-1")) == 1
    assert _changes(database)["NEW-1"] == ("listing", "confirmed", None)
    assert len(_batches(connected)) == 2


def test_a_failed_batch_goes_back_into_the_queue(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A task of status 8 applied nothing: its lines are sent by the next run."""
    _fill(database, _row(connected, "NEW-1"))
    connected.fault("batch_fails", method="POST", path_prefix="/ws/listings")
    run = creation()
    assert run.state == "failed"
    status, reason = _changes(database)["NEW-1"][1:]
    assert status == "planned"
    assert "Task has been interrupted" in (reason or "")
    assert creation().state == "success"
    assert len(_created(connected, "NEW-1")) == 1


def test_a_batch_that_never_ends_is_waited_for_and_never_sent_again(
    warehouse_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
) -> None:
    """The run fails after a while and the lines stay under way; later runs look, and send nothing."""
    with running_sandbox(SandboxConfig(orders=0, listings=10, batch_seconds=3600)) as sandbox:
        connect(sandbox, monkeypatch)
        monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
        monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_WAIT_SECONDS", "1.5")
        switch_on("listing_creation")
        _fill(database, _row(sandbox, "NEW-1"))
        for _ in range(2):
            run = run_dag("backmarket_listings", retry_refused=False)
            assert run.state == "failed"
            assert run.tasks["listing_creation_check"] == "failed"
            assert run.xcoms["listing_creation_results"]["unknown"] == 1
            assert _changes(database)["NEW-1"][1] == "sent"
        assert len(_batches(sandbox)) == 1
        database.execute("update backmarket.changes set sent_at = sent_at - interval '25 hours'")
        run = run_dag("backmarket_listings", retry_refused=False)
        assert run.xcoms["listing_creation_leftovers"]["refused"] == 1
        assert "never finished" in (_changes(database)["NEW-1"][2] or "")
        assert len(_batches(sandbox)) == 1


def test_a_listing_that_exists_is_never_overwritten(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """Without a download, the look before sending finds it, whatever the case of the SKU; it is stored instead."""
    known = connected.listings()[0]
    _fill(database, _row(connected, known["sku"].swapcase(), price="1.00"), _row(connected, "NEW-1"))
    assert creation().state == "success"
    assert connected.listings()[0] == known
    assert len(_created(connected, "NEW-1")) == 1
    assert _changes(database)[known["sku"].swapcase()][1] == "superseded"
    assert (
        _all(database, "select verdict from backmarket.catalog_readiness where listing_id is not null")
        == [("ready",)] * 2
    )
    creation()
    assert _all(database, "select distinct verdict from backmarket.catalog_readiness") == [("listed",)]


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_a_404_makes_no_batch_of_a_listing_that_exists(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], times: int | None
) -> None:
    """Answered once in a run it is asked again; answered to all, the row waits, is named, and the check is red."""
    known = connected.listings()[0]
    _fill(database, _row(connected, known["sku"], price="1.00", quantity=99))
    connected.fault("404", method="GET", path_prefix="/ws/listings/detail", times=times)
    run = creation()
    assert _batches(connected) == []
    assert connected.listings()[0] == known
    if times:
        assert run.state == "success"
        assert _changes(database)[known["sku"]][1] == "superseded"
        return
    assert run.tasks["listing_creation_check"] == "failed"
    assert run.xcoms["listing_creation"]["not_sent"] == [known["sku"]]
    assert _changes(database)[known["sku"]][1] == "planned"
    connected.clear_faults()
    assert creation().state == "success"
    assert connected.listings()[0] == known


def test_a_run_killed_after_sending_repeats_nothing(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch left and its number was never written down: the SKU is found and confirmed, and not sent again."""
    from backmarket.warehouse.ledger import Ledger

    deaths = []

    def die(*_: object) -> None:
        deaths.append(1)
        raise RuntimeError("killed")

    _fill(database, _row(connected, "NEW-1"))
    with monkeypatch.context() as killing:
        killing.setattr(Ledger, "record_batch", die)
        creation()
    assert deaths == [1]
    assert creation().state == "success"
    assert len(_batches(connected)) == 1
    assert _changes(database)["NEW-1"] == ("listing", "confirmed", None)


def test_what_does_not_fit_the_hour_waits_oldest_first(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """With three lines left beside those for quantities, the three that have waited longest go; the others stay."""
    _fill(database, *(_row(connected, f"NEW-{number}") for number in range(5)))
    with open_sku_line_budget("backmarket_warehouse", "default") as budget:
        assert budget.take(1_460) == 1_460
    run = creation()
    assert run.xcoms["listing_creation"] == {
        "sent": 3,
        "batches": 1,
        "listed_already": 0,
        "waiting": 2,
        "not_sent": [],
    }
    statuses = {sku: change[1] for sku, change in _changes(database).items()}
    assert statuses == {
        "NEW-0": "confirmed", "NEW-1": "confirmed", "NEW-2": "confirmed", "NEW-3": "planned", "NEW-4": "planned",
    }  # fmt: skip


def test_a_difference_after_creation_is_reported(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that came out otherwise than sent is confirmed with what differs."""
    from backmarket.services import creation_batches
    from backmarket.services.listing_lookup import look_up_each as honest

    def sold_meanwhile(client: Any, changes: Any) -> Any:
        for change in changes:
            # Those that wait are looked up, too, and have no listing yet.
            if change.sent_at:
                connected.patch_listing(change.subject, quantity=2, grade="GOOD")
        return honest(client, changes)

    monkeypatch.setattr(creation_batches, "look_up_each", sold_meanwhile)
    _fill(database, _row(connected, "NEW-1"))
    run = creation()
    assert run.state == "success"
    assert run.xcoms["listing_creation_results"]["different"] == 1
    assert _changes(database)["NEW-1"] == (
        "listing",
        "confirmed",
        "created, but quantity is 2 instead of 3; grade is GOOD instead of FAIR",
    )


def test_markets_and_categories_go_out_apart_in_their_currency(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """A batch is of one market: its prices are of that market."""
    _fill(database, _row(connected, "FR-1"), _row(connected, "GB-1", market="en-gb", currency="GBP", price="150.00"))
    assert creation().state == "success"
    assert sorted(entry["headers"]["accept-language"] for entry in _batches(connected)) == ["en-gb", "fr-fr"]
    (british,) = _created(connected, "GB-1")
    assert british["offers"]["en-gb"]["price"] == "150.00"
    assert british["offers"]["en-gb"]["currency"] == "GBP"


@pytest.mark.parametrize("on", ["listing_creation", "product_creation"])
def test_each_toggle_works_alone(
    connected: Sandbox,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    database: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    on: str,
) -> None:
    """Only rows of the kind that is on are sent; the other gate names its Variable."""
    monkeypatch.setenv("AIRFLOW__BACKMARKET__BATCH_POLL_SECONDS", "0.2")
    switch_on(on)
    _fill(database, _row(connected, "NEW-1"), _product(connected, "NEW-2"))
    if on == "listing_creation":
        database.execute("update seller.catalog set ean = %s where sku = 'NEW-2'", [connected.listings()[1]["ean"]])
    run = run_dag("backmarket_listings")
    assert run.state == "success", run.tasks
    off = {"listing_creation": "product_creation", "product_creation": "listing_creation"}[on]
    assert f"backmarket_{off}" in run.reasons[f"{off}_gate"]
    created = {sku for sku in ("NEW-1", "NEW-2") if _created(connected, sku)}
    assert created == ({"NEW-1", "NEW-2"} if on == "listing_creation" else {"NEW-2"})


def test_a_revoked_token_sends_nothing_and_keeps_the_queue(
    creation: Callable[..., Run], connected: Sandbox, database: psycopg.Connection[Any]
) -> None:
    """401 at the POST: surely not applied, so the line waits for the next run."""
    _fill(database, _row(connected, "NEW-1"))
    connected.fault("401", method="POST", path_prefix="/ws/listings")
    assert creation().state == "failed"
    assert _changes(database)["NEW-1"][1] == "planned"
    assert creation().state == "success"
    assert len(_created(connected, "NEW-1")) == 1
