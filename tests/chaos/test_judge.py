"""The judge of a chaos finds a loss of every kind where one is planted, and none where all is well."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from chaos.evidence import Database, Evidence
from chaos.judge import KINDS, judge
from chaos.leaks import find_leaks
from chaos.residue import residue
from chaos.seller import Asked, Books
from chaos.writes import LEFT_AT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

OLD, OLD_LINE, NEW, LINE, SKU = 50, 501, 51, 511, "PHONE"
LISTING = "00000000-0000-4000-8000-000000000001"
IMEI, OTHER_IMEI = "350000000000006", "350000000000014"
MINUTE = 60_000_000
BEGIN = 1_780_000_000_000_000
CREATED = "2026-05-28T20:27:20+00:00"  # half a minute after BEGIN


def order(order_id: int, state: int, line_state: int, **line: Any) -> Json:
    """An order of one unit, as the sandbox has it."""
    fields = {"id": order_id * 10 + 1, "listing": SKU, "quantity": 1, "price": "100.00", "state": line_state}
    fields["shipping_price"] = "0.00"
    return {
        "order_id": order_id,
        "state": state,
        "tracking_number": "T51" if line_state == 3 else "",
        "date_creation": CREATED,
        "orderlines": [{**fields, "imei": "", "serial_number": "", **line}],
    }


def request(minute: float, method: str, path: str, body: Json | None = None, **entry: Any) -> Json:
    """A request of one run, which took effect at once if it was a write."""
    at = BEGIN + round(minute * MINUTE)
    applied = method != "GET"
    headers = {"user-agent": "BM-Chaos-Airflow;run-1@example.com", "accept-language": "fr-fr"}
    fields = {"at": at, "method": method, "path": path, "body": body, "headers": headers, "status": 200}
    effect = {"applied": applied, "applied_at": at if applied else None, "over_limit": False, "fault": None}
    return {**fields, **effect, **entry}


def change(change_id: int, kind: str, subject: str, payload: Json, **fields: Any) -> Json:
    """A confirmed change of the ledger."""
    base = {"change_id": change_id, "kind": kind, "subject": subject, "market": "", "payload": payload}
    return {**base, "status": "confirmed", "attempts": 1, "reason": None, **fields}


ACCEPT = request(1, "POST", f"/ws/orders/{NEW}", {"new_state": 2, "sku": SKU})
SHIP = request(2, "POST", f"/ws/orders/{NEW}", {"new_state": 3, "tracking_number": "T51"})
IDENTIFY = request(3, "PATCH", f"/ws/orderlines/{LINE}", {"imei": IMEI})
READ = request(4, "GET", f"/ws/listings/{LISTING}")
QUANTITY = request(5, "POST", f"/ws/listings/{LISTING}", {"quantity": 4})
PRICE = request(6, "POST", f"/ws/listings/{LISTING}", {"price": "99.00"})


@pytest.fixture
def evidence() -> Evidence:
    """An order sold, accepted, shipped and identified, a quantity and a price set: all as it should be."""
    before = order(OLD, 9, 3, imei=OTHER_IMEI) | {"tracking_number": "T50"}
    sold = order(NEW, 3, 3, imei=IMEI)
    listing = {
        "id": LISTING,
        "sku": SKU,
        "quantity": 4,
        "quantities_shown": [5, 4],
        "grade": "GOOD",
        "offers": {"fr-fr": {"price": "99.00"}},
        "publication_states": {"fr-fr": 2},
    }
    rows = [
        {
            "orderline_id": each["order_id"] * 10 + 1,
            "order_id": each["order_id"],
            "sku": SKU,
            "quantity": 1,
            "price": Decimal("100.00"),
            "state": 3,
            "imei": each["orderlines"][0]["imei"],
            "serial_number": None,
        }
        for each in (before, sold)
    ]
    stored = [
        {
            "order_id": each["order_id"],
            "state": each["state"],
            "tracking_number": each["tracking_number"],
            "gone_at": None,
        }
        for each in (before, sold)
    ]
    changes = [
        change(1, "accept", str(LINE), {"order_id": NEW, "sku": SKU, "orderline_id": LINE}),
        change(2, "tracking", str(NEW), {"order_id": NEW, "tracking_number": "T51"}),
        change(3, "imei", str(LINE), {"order_id": NEW, "imei": IMEI}),
        change(4, "quantity", SKU, {"id": LISTING, "quantity": 4}),
        change(5, "price", SKU, {"id": LISTING, "price": "99.00"}, market="fr-fr"),
        change(7, "refund", str(OLD_LINE), {"refund": "refund", "amount": "20.00", "is_whole": False}),
        change(8, "invoice", str(OLD), {"sha256": "digest"}),
    ]
    database = Database(
        orders=stored,
        lines=rows,
        listings=[{"id": LISTING, "sku": SKU, "quantity": 4, "grade": "GOOD", "gone_at": None}],
        offers=[{"id": LISTING, "market": "fr-fr", "price": Decimal("99.00"), "publication_state": 2}],
        changes=changes,
        statement_rows=[{"currency": "EUR", "rows": 1, "total": Decimal("-5.00")}],
        shipments=[{"order_id": NEW, "tracking_number": "T51", "shipper": "UPS"}],
        care_folders=[{"care_folder_id": 7, "state": 0}],
        care_messages=[{"care_folder_id": 7, "message_id": 70, "message": "Hello?"}],
        returns=[{"shipment_id": 9, "orderline_id": OLD_LINE, "date_delivery": CREATED}],
    )
    books = Books(
        units=Counter({SKU.lower(): 5}),
        served_before=frozenset({OLD * 10 + 1}),
        devices={LINE: IMEI},
        prices={(SKU, "fr-fr"): Decimal("99.00")},
        articles={SKU: 1},
        parcels={NEW: "T51"},
        filed=[(NEW, "T51", "UPS")],
        refunds={OLD_LINE: [Asked("refund", Decimal("20.00"))]},
        invoices={OLD: ["digest"]},
        bounds={(SKU, "fr-fr"): (Decimal("90.00"), Decimal("99.00"))},
    )
    return Evidence(
        before=[before],
        orders=[deepcopy(before), sold],
        listings=[listing],
        journal=deepcopy([ACCEPT, SHIP, IDENTIFY, READ, QUANTITY, PRICE]),
        database=database,
        books=books,
        statements=[{"currency": "EUR", "amount": "-5.00"}],
        refunds=[{"orderline_id": OLD_LINE, "type": 6, "amount": "20.00"}],
        invoices=[{"order_id": OLD, "sha256": "digest"}],
        care_folders=[{"id": 7, "state": 0, "messages": [{"id": 70, "message": "Hello?"}]}],
        returns=[{"id": 9, "orderline_id": OLD_LINE, "delivered": BEGIN}],
    )


def _lose_order(evidence: Evidence) -> None:
    del evidence.database.orders[1]


def _lose_line(evidence: Evidence) -> None:
    del evidence.database.lines[1]


def _double_line(evidence: Evidence) -> None:
    evidence.database.lines.append({**evidence.database.lines[1], "orderline_id": 999})


def _invent_order(evidence: Evidence) -> None:
    evidence.database.orders.append({**evidence.database.orders[1], "order_id": 999})


def _keep_old_state(evidence: Evidence) -> None:
    evidence.database.lines[1]["state"] = 2


def _keep_old_quantity(evidence: Evidence) -> None:
    evidence.database.listings[0]["quantity"] = 5


def _double_statement_row(evidence: Evidence) -> None:
    evidence.database.statement_rows[0] |= {"rows": 2, "total": Decimal("-10.00")}


def _lose_row_of_file(evidence: Evidence) -> None:
    evidence.database.shipments.clear()


def _load_row_of_file_twice(evidence: Evidence) -> None:
    evidence.database.shipments *= 2


def _again(entry: Json) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        """Refused or not: it was sent although it had taken effect."""
        evidence.journal.append({**deepcopy(entry), "at": entry["at"] + 10 * MINUTE, "applied": False})

    return plant


def _again_before_its_effect(entry: Json) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        """The first took effect after its answer and after the second; both did."""
        first = next(each for each in evidence.journal if each == entry)
        first["applied_at"] = entry["at"] + 10 * MINUTE
        evidence.journal.append({**deepcopy(entry), "at": entry["at"] + MINUTE, "applied_at": entry["at"] + MINUTE})
        for row in evidence.database.changes:
            row["attempts"] = 2

    return plant


def _set_again(entry: Json) -> Callable[[Evidence], None]:
    def plant(evidence: Evidence) -> None:
        later = entry["at"] + 10 * MINUTE
        evidence.journal.append({**deepcopy(entry), "at": later, "applied_at": later})
        for row in evidence.database.changes:
            row["attempts"] = 2

    return plant


def _write_nothing_down(evidence: Evidence) -> None:
    evidence.database.changes[0]["attempts"] = 0


def _confirm_what_is_not_so(evidence: Evidence) -> None:
    evidence.database.changes[1]["payload"]["tracking_number"] = "T99"


def _confirm_unsent_quantity(evidence: Evidence) -> None:
    evidence.database.changes.append(change(6, "quantity", SKU, {"id": LISTING, "quantity": 7}))


def _leave_open(evidence: Evidence) -> None:
    evidence.database.changes[4]["status"] = "unknown"


def _leave_unaccepted(evidence: Evidence) -> None:
    evidence.orders.append(order(52, 1, 1))
    evidence.database.orders.append({"order_id": 52, "state": 1, "tracking_number": None, "gone_at": None})
    evidence.database.lines.append({**evidence.database.lines[1], "orderline_id": 521, "state": 1, "imei": None})
    evidence.listings[0]["quantity"] = evidence.database.listings[0]["quantity"] = 3


def _leave_unlisted(evidence: Evidence) -> None:
    evidence.books.articles["NEW"] = 1


def _leave_price(evidence: Evidence) -> None:
    evidence.books.prices[SKU, "fr-fr"] = Decimal("98.00")


def _change_imei(evidence: Evidence) -> None:
    evidence.orders[0]["orderlines"][0]["imei"] = IMEI
    evidence.database.lines[0]["imei"] = IMEI


def _send_wrong_imei(evidence: Evidence) -> None:
    evidence.journal.append(request(9, "PATCH", f"/ws/orderlines/{LINE}", {"imei": OTHER_IMEI}, applied=False))


def _oversell(evidence: Evidence) -> None:
    evidence.books.units[SKU.lower()] = 0
    evidence.listings[0]["quantity"] = evidence.database.listings[0]["quantity"] = 0


def _show_too_many(evidence: Evidence) -> None:
    evidence.listings[0]["quantity"] = evidence.database.listings[0]["quantity"] = 5


def _break_limit(evidence: Evidence) -> None:
    evidence.journal.append(request(9, "GET", "/ws/orders", status=429))


def _break_limit_for_a_while(evidence: Evidence) -> None:
    evidence.journal += [request(9 + second / 60, "GET", "/ws/orders", status=429) for second in range(9)]


def _break_limit_under_a_fault(evidence: Evidence) -> None:
    evidence.journal.append(request(9, "GET", "/ws/orders", status=500, fault="500", over_limit=True))


def _refund_again(evidence: Evidence) -> None:
    evidence.refunds.append(deepcopy(evidence.refunds[0]))
    evidence.database.changes[5]["attempts"] = 2


def _refund_unasked(evidence: Evidence) -> None:
    evidence.refunds.append({**evidence.refunds[0], "amount": "7.00"})
    evidence.database.changes[5]["attempts"] = 2


def _refund_too_much(evidence: Evidence) -> None:
    evidence.orders[0]["orderlines"][0]["price"] = "10.00"
    evidence.database.lines[0]["price"] = Decimal("10.00")


def _refund_unwritten(evidence: Evidence) -> None:
    evidence.database.changes[5]["attempts"] = 0


def _confirm_another_refund(evidence: Evidence) -> None:
    evidence.database.changes[5]["payload"]["amount"] = "19.00"


def _leave_refund_open(evidence: Evidence) -> None:
    evidence.database.changes[5]["status"] = "unknown"


def _leave_part(evidence: Evidence) -> None:
    evidence.books.refunds[OLD_LINE].append(Asked("refund", Decimal("5.00")))


def _leave_all_of_a_line(evidence: Evidence) -> None:
    evidence.books.refunds[OLD_LINE].append(Asked("refund", None))


def _leave_invoice(evidence: Evidence) -> None:
    evidence.books.invoices[OLD].append("newer")


def _mix_invoices_up(evidence: Evidence) -> None:
    evidence.invoices.append({"order_id": NEW, "sha256": "digest"})


def _confirm_unsent_invoice(evidence: Evidence) -> None:
    evidence.database.changes[6]["payload"]["sha256"] = "another"


def _go_below_the_floor(evidence: Evidence) -> None:
    evidence.books.bounds[SKU, "fr-fr"] = Decimal("99.01"), Decimal("120.00")


def _go_above_the_ceiling(evidence: Evidence) -> None:
    evidence.books.bounds[SKU, "fr-fr"] = Decimal("90.00"), Decimal("98.99")


def _lose_message(evidence: Evidence) -> None:
    evidence.database.care_messages[0]["message_id"] = 71


def _keep_folder_open(evidence: Evidence) -> None:
    evidence.care_folders[0]["state"] = 9


def _lose_return(evidence: Evidence) -> None:
    evidence.database.returns.clear()


def _lose_arrival(evidence: Evidence) -> None:
    evidence.database.returns[0]["date_delivery"] = None


PLANTED: tuple[tuple[str, Callable[[Evidence], None]], ...] = (
    ("order lost", _lose_order),
    ("order lost", _lose_line),
    ("order doubled", _double_line),
    ("order doubled", _invent_order),
    ("order differs", _keep_old_state),
    ("listing differs", _keep_old_quantity),
    ("statement rows differ", _double_statement_row),
    ("file row lost", _lose_row_of_file),
    ("file row lost", _load_row_of_file_twice),
    ("change applied twice", _again(ACCEPT)),
    ("change applied twice", _again(SHIP)),
    ("change applied twice", _again(IDENTIFY)),
    ("change applied twice", _again_before_its_effect(ACCEPT)),
    ("change applied twice", _again_before_its_effect(SHIP)),
    ("change applied twice", _again_before_its_effect(IDENTIFY)),
    ("change applied twice", _set_again(QUANTITY)),
    ("change applied twice", _set_again(PRICE)),
    ("change not in the ledger", _write_nothing_down),
    ("change not true", _confirm_what_is_not_so),
    ("change not true", _confirm_unsent_quantity),
    ("change left open", _leave_open),
    ("work left undone", _leave_unaccepted),
    ("work left undone", _leave_unlisted),
    ("work left undone", _leave_price),
    ("price out of bounds", _go_below_the_floor),
    ("price out of bounds", _go_above_the_ceiling),
    ("IMEI changed", _change_imei),
    ("IMEI changed", _send_wrong_imei),
    ("units oversold", _oversell),
    ("too many units shown", _show_too_many),
    ("limit broken", _break_limit),
    ("limit broken", _break_limit_for_a_while),
    ("limit broken", _break_limit_under_a_fault),
    ("change applied twice", _refund_again),
    ("refund wrong", _refund_unasked),
    ("refund wrong", _refund_too_much),
    ("change not in the ledger", _refund_unwritten),
    ("change not true", _confirm_another_refund),
    ("change left open", _leave_refund_open),
    ("work left undone", _leave_part),
    ("work left undone", _leave_all_of_a_line),
    ("work left undone", _leave_invoice),
    ("invoice wrong", _mix_invoices_up),
    ("change not true", _confirm_unsent_invoice),
    ("message lost", _lose_message),
    ("message lost", _keep_folder_open),
    ("return lost", _lose_return),
    ("return lost", _lose_arrival),
)
ELSEWHERE = {"secret in a log", "healthy item waited", "red in calm weather", "run did not end"}


def test_where_all_is_well_there_is_no_loss(evidence: Evidence) -> None:
    """Two orders, seven changes, one listing, a complaint and a return: nothing to complain of."""
    assert judge(evidence) == []


@pytest.mark.parametrize(("kind", "plant"), PLANTED, ids=[f"{kind}: {f.__name__}" for kind, f in PLANTED])
def test_a_planted_loss_is_found_once(evidence: Evidence, kind: str, plant: Callable[[Evidence], None]) -> None:
    """It is counted under its kind, once, and nothing else is."""
    plant(evidence)
    assert [loss.kind for loss in judge(evidence)] == [kind]


def test_every_kind_of_loss_is_planted() -> None:
    """No kind is left without a test, here or with the harness."""
    assert {kind for kind, _ in PLANTED} | ELSEWHERE == set(KINDS)


@pytest.mark.parametrize(
    ("entry", "interrupted", "is_allowed"),
    [
        ({"fault": "reset_after", "status": None}, (), True),
        # The answer came, but nobody was there to hear it, or to write it down.
        ({"over_at": BEGIN + 5 * MINUTE}, (), True),
        ({}, ("run-1",), True),
        ({}, ("run-2",), False),
        (None, ("run-2",), True),
        (None, (), False),
    ],
)
def test_a_part_may_be_in_doubt_where_its_answer_was_lost_or_its_run_killed(
    evidence: Evidence, entry: Json | None, interrupted: tuple[str, ...], *, is_allowed: bool
) -> None:
    """And a whole refund never: the line shows it."""
    _leave_refund_open(evidence)
    evidence.interrupted = frozenset(interrupted)
    if entry is not None:
        body = {"orderline_pk": OLD_LINE, "refund_type": 6, "amount": 20.0}
        asked = request(2, "POST", "/ws/sav/refund", body, over_at=BEGIN + 2 * MINUTE + 1000)
        evidence.journal.append({**asked, **entry})
    assert [loss.kind for loss in judge(evidence)] == ([] if is_allowed else ["change left open"])
    evidence.database.changes[5]["payload"]["is_whole"] = True
    assert [loss.kind for loss in judge(evidence)] == ["change left open"]


def test_a_second_parcel_is_right_where_another_line_was_accepted_in_between(evidence: Evidence) -> None:
    """An order's lines may be accepted one after the other, and each is shipped then."""
    accept = {**ACCEPT["body"], "sku": "OTHER"}
    evidence.journal += [request(7, "POST", f"/ws/orders/{NEW}", accept), {**SHIP, "at": SHIP["at"] + 9 * MINUTE}]
    kinds = {loss.kind for loss in judge(evidence)}
    assert "change applied twice" not in kinds


def test_a_quantity_may_be_set_again_after_a_sale(evidence: Evidence) -> None:
    """What was sold in between makes it another change."""
    _set_again(QUANTITY)(evidence)
    between = "2026-05-28T20:35:00+00:00"
    evidence.orders[1]["date_creation"] = between
    assert "change applied twice" not in {loss.kind for loss in judge(evidence)}


def test_what_is_sold_between_reading_and_writing_is_residue(evidence: Evidence) -> None:
    """A sale after the reading and before the write is not held against the package, up to its units."""
    evidence.orders[1]["date_creation"] = "2026-05-28T20:31:20+00:00"  # between minute 4 and minute 5
    assert residue(evidence).units == Counter({SKU.lower(): 1})
    _oversell(evidence)
    assert residue(evidence).oversold == Counter({SKU.lower(): 1})
    assert judge(evidence) == []


def test_what_was_hidden_when_a_listing_was_first_read_is_residue(evidence: Evidence) -> None:
    """An order that Back Market showed to nobody yet: its unit is not held, as none went; what is paid is no such."""
    hidden = order(NEW + 1, 0, 0)
    evidence.before.append(hidden)
    evidence.orders.append(order(NEW + 1, 8, 7))
    _oversell(evidence)
    assert residue(evidence).hidden == Counter({SKU.lower(): 1})
    assert judge(evidence) == []
    hidden["state"] = 1
    assert [loss.kind for loss in judge(evidence)] == ["units oversold"]


@pytest.mark.parametrize(
    ("shown", "answer", "seen", "read_again", "is_excused"),
    [
        (3, 500, False, 6.0, True),
        (2, 500, False, 6.0, False),
        (3, 200, False, 6.0, False),
        (3, 500, True, 6.0, False),
        (3, 500, False, 10.1, False),
    ],
    ids=["sold out", "one of two is left", "answered", "seen by another run", "read back after more than five minutes"],
)
def test_a_raise_without_an_answer_that_is_sold_out_before_it_is_read_back_is_residue(
    evidence: Evidence, shown: int, answer: int, read_again: float, *, seen: bool, is_excused: bool
) -> None:
    """The listing looks as before it, and all of its units are sold once more; anything else shows."""
    evidence.orders[1]["date_creation"] = "2026-05-28T20:32:05+00:00"  # a quarter of a minute after minute 5
    evidence.database.changes[3]["payload"]["shown"] = shown
    evidence.database.changes[3]["attempts"] = 2
    for entry in evidence.journal:
        if entry["body"] == QUANTITY["body"]:
            entry["status"] = answer
    if seen:
        evidence.journal.append({**READ, "at": BEGIN + round(4.9 * MINUTE), "over_at": BEGIN + round(5.1 * MINUTE)})
    evidence.journal += [
        {**READ, "at": BEGIN + round(read_again * MINUTE)},
        request(read_again + 0.1, "POST", f"/ws/listings/{LISTING}", QUANTITY["body"]),
    ]
    _oversell(evidence)
    assert residue(evidence).unanswered == Counter({SKU.lower(): 1} if is_excused else {})
    assert [loss.kind for loss in judge(evidence)] == ([] if is_excused else ["units oversold"])


ADDRESS = {
    "first_name": "Zoë 🎉",
    "last_name": "O'Neil",
    "street": "12 rue des Lilas",
    "phone": "+33470000",
    "email": "customer-9@example.com",
    "city": "Paris",
}


@pytest.mark.parametrize(("milliseconds", "is_excused"), [(290, False), (310, True)])
def test_a_machine_that_holds_requests_up_breaks_no_limit(
    evidence: Evidence, milliseconds: int, *, is_excused: bool
) -> None:
    """Where one was on its way for longer than the margin than another; by less, the limiter has to see to it."""
    for minute, delay in ((9, milliseconds), (9.1, 0)):
        late = request(minute, "GET", "/ws/orders", status=429 if minute > 9 else 200)
        late["headers"][LEFT_AT] = str(late["at"] - 5_000 - delay * 1000)
        evidence.journal.append(late)
    assert [loss.kind for loss in judge(evidence)] == ([] if is_excused else ["limit broken"])


@pytest.mark.parametrize(
    "text",
    [
        "mail to customer-9@example.com failed",
        "{'street': '12 rue des Lilas'}",
        '{"last_name": "O\'Neil"}',
        '{"first_name": "Zo\\u00eb \\ud83c\\udf89"}',
        "Basic a-secret-token",
    ],
)
def test_a_name_or_the_token_in_a_log_is_found(tmp_path: Path, text: str) -> None:
    """As it is, as Python writes it, and escaped."""
    log = tmp_path / "run.log"
    log.write_text(f"INFO started\nWARNING {text}\n")
    orders = [{"shipping_address": ADDRESS, "billing_address": ADDRESS}]
    (loss,) = find_leaks([log], orders, "a-secret-token")
    assert loss.kind == "secret in a log"


def test_what_people_wrote_to_each_other_is_found_in_a_log(tmp_path: Path) -> None:
    """Also where it has several lines."""
    log = tmp_path / "run.log"
    log.write_text("WARNING Folder 7: {'message': 'Is nobody there?\\nSee folder 7.'}\n")
    (loss,) = find_leaks([log], [], "a-secret-token", ["Is nobody there?\nSee folder 7.", "Is anybody there?"])
    assert loss.kind == "secret in a log"


def test_a_clean_log_holds_no_secret(tmp_path: Path) -> None:
    """Cities and time zones are no person, and a value within a longer word is none."""
    log = tmp_path / "run.log"
    log.write_text("Europe/Paris, run-1@example.com, order 9, McO'Neilson\n")
    assert list(find_leaks([log], [{"shipping_address": ADDRESS, "billing_address": ADDRESS}], "a-secret-token")) == []
