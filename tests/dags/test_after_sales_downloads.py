"""Care folders and parcels are read, stored once, and cost nothing where there are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.models.shipping import Return
from backmarket.warehouse import after_sales

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from sandbox.remote import Sandbox
    from tests.dags.conftest import Run

    Database = psycopg.Connection[Any]

PHONE = "IP13-128-MID-C"
SAV, SHIPPING = "/ws/sav", "/ws/shipping"


@pytest.fixture
def care(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_after_sales`` with care folders alone switched on."""
    switch_on("care_download")
    return lambda: run_dag("backmarket_after_sales")


@pytest.fixture
def parcels(connected: Sandbox, switch_on: Callable[..., None], run_dag: Callable[..., Run]) -> Callable[..., Run]:
    """Run ``backmarket_after_sales`` with deliveries and returns alone switched on."""
    switch_on("returns_download")
    return lambda: run_dag("backmarket_after_sales")


def line_of(sandbox: Sandbox, **wish: Any) -> tuple[int, int]:
    """Make a shipped order, and return its id and its line's."""
    document = sandbox.create_order(lines=[{"sku": PHONE, "state": 3}], force=True, **wish)
    return int(document["order_id"]), int(document["orderlines"][0]["id"])


def all_of(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Run a query."""
    return database.execute(query.encode()).fetchall()


def test_folders_come_in_once_with_their_messages_and_whose_turn_it_is(
    care: Callable[..., Run], connected: Sandbox, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A first run reads all, the next what has changed, and neither logs what people wrote."""
    order_id, line = line_of(connected)
    folder = connected.open_care_folder(line, "My name is Ada and it is broken.", return_label="ALIVE")["id"]
    first = care()
    assert first.state == "success"
    assert first.xcoms["care_download"]["new"] == 13
    ours = f"where care_folder_id = {folder}"
    columns = "order_id, orderline_id, state, waits_for, last_message_by, return_labels"
    query = f"select {columns} from backmarket.care_folders {ours}"
    ((stored_order, stored_line, state, waits_for, last_by, labels),) = all_of(database, query)
    assert (stored_order, stored_line, state, waits_for, last_by) == (order_id, line, 0, "seller", "customer")
    assert [label["state"] for label in labels] == ["ALIVE"]
    assert all_of(database, f"select sender, message from backmarket.care_messages {ours}") == [
        ("customer", "My name is Ada and it is broken.")
    ]
    documents = str(all_of(database, "select document from backmarket.care_folders"))
    assert "Ada" not in documents
    assert "@" not in documents
    connected.clear_journal()
    assert care().xcoms["care_download"]["requests"] == 1, "nothing has changed: one page of the list"
    # The filter knows minutes.
    connected.advance_clock(120)
    connected.add_care_message(folder, "Hello?")
    connected.close_care_folder(folder)
    again = care()
    assert again.xcoms["care_download"]["changed"] == 1
    assert all_of(database, f"select state, waits_for from backmarket.care_folders {ours}") == [(9, None)]
    assert all_of(database, f"select count(*) from backmarket.care_messages {ours}") == [(2,)]
    assert "Ada" not in caplog.text


def test_open_folders_are_read_again_once_a_day_and_those_that_are_gone_are_marked(
    care: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """A change that the list by date missed comes in all the same."""
    _, line = line_of(connected)
    folder = connected.open_care_folder(line)["id"]
    care()
    database.execute(b"update backmarket.care_folders set waits_since = null where care_folder_id = %s", [folder])
    database.execute(
        b"update backmarket.sync_state set watermark = now() + interval '1 hour' where concern = 'care_folders'"
    )
    database.execute(
        b"update backmarket.care_folders set date_modification = '2026-01-01' where care_folder_id = %s", [folder]
    )
    database.execute(
        b"insert into backmarket.care_folders (account, care_folder_id, state, document, read_at) "
        b"values ('default', 7, 0, '{}', '2026-01-01')"
    )
    assert care().xcoms["care_download"].get("changed", 0) == 0
    database.execute(
        b"update backmarket.sync_state set succeeded_at = now() - interval '25 hours' "
        b"where concern = 'open_care_folders'"
    )
    run = care()
    assert run.xcoms["care_download"]["gone"] == 1
    assert all_of(
        database, f"select waits_since is not null from backmarket.care_folders where care_folder_id = {folder}"
    ) == [(True,)]
    assert all_of(database, "select gone_at is not null from backmarket.care_folders where care_folder_id = 7") == [
        (True,)
    ]


def test_one_sick_folder_costs_no_other(care: Callable[..., Run], connected: Sandbox, database: Database) -> None:
    """One that Back Market fails on, one that cannot be understood: the others are stored, and the run says which."""
    folders = [connected.open_care_folder(line_of(connected)[1])["id"] for _ in range(3)]
    connected.fault("500", path_prefix=f"{SAV}/{folders[0]}", times=None)
    connected.fault("odd_document", care_folder=folders[1], without=["id"], times=None)
    run = care()
    assert (run.state, run.tasks["care_download"], run.tasks["care_check"]) == ("failed", "success", "failed")
    assert run.xcoms["care_download"]["unread"] == [str(folders[0])]
    assert run.xcoms["care_download"]["quarantined"] == 1
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert folders[2] in stored
    assert not stored & set(folders[:2])
    # The list goes on from here: the sick folder is asked for by its id, however long it is sick.
    assert all_of(database, "select care_folder_id from backmarket.care_folders_unread") == [(folders[0],)]
    database.execute(b"update backmarket.sync_state set watermark = now() + interval '1 hour'")
    assert care().xcoms["care_download"]["unread"] == [str(folders[0])]
    connected.clear_faults()
    assert care().state == "success"
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert stored >= {folders[0], folders[2]}
    assert all_of(database, "select count(*) from backmarket.care_folders_unread") == [(0,)]


def test_many_sick_folders_hold_up_no_other(care: Callable[..., Run], connected: Sandbox, database: Database) -> None:
    """More than look like an outage: what is new comes in, and the list goes on from where it was read."""
    folders = [connected.open_care_folder(line_of(connected)[1])["id"] for _ in range(8)]
    for folder in folders[1:]:
        connected.fault("500", path_prefix=f"{SAV}/{folder}", times=None)
    assert care().state == "failed"
    before = "select watermark from backmarket.sync_state where concern = 'care_folders'"
    assert care().state == "failed"
    ((first,),) = all_of(database, before)
    connected.advance_clock(120)
    well = connected.open_care_folder(line_of(connected)[1])["id"]
    assert care().state == "failed"
    ((second,),) = all_of(database, before)
    assert second > first
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert stored >= {folders[0], well}
    connected.clear_faults()
    assert care().state == "success"
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert stored >= {*folders, well}


def test_sick_folders_keep_none_from_being_asked_for_that_is_well_again(
    care: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """Of nine, the first five and the last stay sick, which looks like an outage: the others have their turn."""
    folders = [connected.open_care_folder(line_of(connected)[1])["id"] for _ in range(9)]
    sick, well = {*folders[:5], folders[8]}, {*folders[5:8]}
    database.cursor().executemany(
        "insert into backmarket.care_folders_unread (account, care_folder_id, reason) values ('default', %s, 'sick')",
        [(folder,) for folder in folders],
    )
    for folder in sick:
        connected.fault("500", path_prefix=f"{SAV}/{folder}", times=None)
    assert care().state == "failed"
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert stored & {*folders} == well
    assert {each for (each,) in all_of(database, "select care_folder_id from backmarket.care_folders_unread")} == sick


def test_what_a_refused_token_left_unread_is_read_by_the_next_run(
    care: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """The list was read whole, and its folders were not: nothing says that they were."""
    folders = [connected.open_care_folder(line_of(connected)[1])["id"] for _ in range(3)]
    connected.fault("401", path_prefix=f"{SAV}/{folders[0]}", times=None)
    assert care().state == "failed"
    assert all_of(database, "select count(*) from backmarket.sync_state where concern like '%care_folders'") == [(0,)]
    connected.clear_faults()
    assert care().state == "success"
    stored = {folder for (folder,) in all_of(database, "select care_folder_id from backmarket.care_folders")}
    assert stored >= set(folders)


def test_texts_that_postgresql_refuses_and_messages_without_ids_cost_nothing(
    care: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """A NUL is replaced; messages without an id are kept side by side in quarantine, until they are understood.

    They are the same things at each reading: a person who has dealt with them hears no more of them.
    """
    _, line = line_of(connected)
    folder = connected.open_care_folder(line)["id"]
    nul = {"id": 1, "message": "a\0b", "kind": "MERCHANT\0", "attachments": ["https://x.test/\0"]}
    messages = [nul, {"message": "one"}, {"message": "two"}]
    odd = {"country_code": "f\0r", "messages": messages}
    connected.fault("odd_document", care_folder=folder, fields=odd, times=None)
    run = care()
    assert run.state == "failed", "messages without ids could not be read"
    assert all_of(database, f"select country_code from backmarket.care_folders where care_folder_id = {folder}") == [
        ("f\ufffdr",)
    ]
    kept = "select count(*) from backmarket.quarantine where entity = 'care_folder'"
    assert all_of(database, kept) == [(2,)]
    since = "select key, first_seen_at from backmarket.quarantine where entity = 'care_folder' order by key"
    at_first = all_of(database, since)
    connected.advance_clock(120)
    connected.add_care_message(folder, "Anybody there?")
    assert care().xcoms["care_download"]["changed"] == 1
    assert all_of(database, since) == at_first
    connected.clear_faults()
    connected.advance_clock(120)
    connected.add_care_message(folder, "Hello?")
    assert care().state == "success"
    assert all_of(database, kept) == [(0,)]


def test_a_parcel_with_texts_that_postgresql_refuses_is_stored(
    warehouse: psycopg.Connection[Any],
) -> None:
    """A NUL in a tracking number costs neither it nor the others."""
    odd = Return.model_validate({"shipmentId": 3, "trackingNumber": "A\0B", "carrierName": "\0"})
    assert after_sales.store_shipment(warehouse, "default", odd, datetime.now(UTC)) == "new"


def test_a_parcel_without_a_day_is_followed(warehouse: psycopg.Connection[Any]) -> None:
    """One of which Back Market does not say when it was made counts from when it was first seen."""
    now = datetime.now(UTC)
    after_sales.store_shipment(warehouse, "default", Return.model_validate({"shipmentId": 3}), now)
    oldest = after_sales.oldest_under_way(warehouse, "default", "returns", now - timedelta(days=60))
    assert oldest is not None


@pytest.mark.parametrize("status", [404, 403])
def test_a_part_that_is_not_served_turns_itself_off_and_is_told_once(
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
    status: int,
) -> None:
    """Nothing else depends on it: parcels come in, and a day later it is asked for again."""
    switch_on("care_download", "returns_download")
    _, line = line_of(connected, is_backship=True)
    connected.create_return(line)
    fault = connected.make_unavailable(SAV, status)
    switch_on("order_download")
    run_dag("backmarket_orders")
    run = run_dag("backmarket_after_sales")
    assert run.state == "success"
    assert run.xcoms["returns_download"]["new"] >= 1
    connected.clear_journal()
    assert run_dag("backmarket_after_sales").state == "success"
    assert connected.journal(path_prefix=SAV) == []
    assert all_of(database, "select part from backmarket.after_sales_parts where unavailable_since is not null") == [
        ("care",)
    ]
    connected.remove_fault(fault["id"])
    database.execute(
        b"update backmarket.after_sales_parts set asked_at = now() - interval '25 hours' where part = 'care'"
    )
    assert run_dag("backmarket_after_sales").xcoms["care_download"]["new"] >= 1
    assert all_of(database, "select part from backmarket.after_sales_parts where unavailable_since is not null") == []


def test_without_a_backship_order_no_request_is_made(
    parcels: Callable[..., Run], connected: Sandbox, database: Database
) -> None:
    """Parcels are Backship's: an account without is asked for none."""
    line_of(connected)
    run = parcels()
    assert (run.state, run.tasks["returns_download"]) == ("success", "skipped")
    assert connected.journal(path_prefix=SHIPPING) == []


def test_parcels_come_in_and_are_followed_until_they_arrive(
    parcels: Callable[..., Run],
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
) -> None:
    """Label links, and the day of arrival once there is one; a quiet run stores nothing anew."""
    order_id, line = line_of(connected, is_backship=True)
    parcel = connected.create_return(line)["id"]
    switch_on("order_download")
    run_dag("backmarket_orders")
    connected.clear_journal()
    first = parcels()
    assert first.state == "success"
    assert first.xcoms["returns_download"]["requests"] == len(connected.journal(path_prefix=SHIPPING))
    columns = "order_id, orderline_id, date_delivery, label_url is not null"
    query = f"select {columns} from backmarket.returns where order_id = {order_id}"
    assert all_of(database, query) == [(order_id, line, None, True)]
    assert all_of(database, f"select orderline_ids from backmarket.deliveries where order_id = {order_id}") == [
        ([line],)
    ]
    assert parcels().xcoms["returns_download"]["changed"] == 0
    connected.move_return(parcel, delivered=datetime.now(UTC) - timedelta(minutes=1))
    assert parcels().xcoms["returns_download"]["changed"] == 1
    ((_, _, delivered, _),) = all_of(database, query)
    assert delivered is not None


def test_personal_data_of_closed_folders_is_purged(
    care: Callable[..., Run],
    connected: Sandbox,
    database: Database,
    switch_on: Callable[..., None],
    run_dag: Callable[..., Run],
) -> None:
    """As addresses are; open folders keep theirs."""
    folders = [connected.open_care_folder(line_of(connected)[1])["id"] for _ in range(2)]
    care()
    database.execute(b"delete from backmarket.care_messages where care_folder_id <> all(%s)", [folders])
    database.execute(b"update backmarket.care_folders set date_modification = now() - interval '40 days'")
    database.execute(b"update backmarket.care_folders set state = 9 where care_folder_id = %s", [folders[0]])
    switch_on("order_download", pii_retention_days=30)
    run = run_dag("backmarket_orders")
    assert run.xcoms["purge_personal_data"]["care_messages"] == 1
    assert all_of(database, "select care_folder_id from backmarket.care_messages") == [(folders[1],)]
    database.execute(
        b"update backmarket.care_folders "
        b"set state = 9, date_modification = '9999-01-01', read_at = now() - interval '40 days'"
    )
    assert run_dag("backmarket_orders").xcoms["purge_personal_data"]["care_messages"] == 1, "an impossible date"
