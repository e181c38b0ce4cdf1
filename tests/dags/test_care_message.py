"""A DAG of a user's own writes to a customer: once a run, whatever is lost on the way."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api.errors import BackMarketError
from backmarket.operators.care_message import BackMarketCareMessageOperator

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.remote import Sandbox

TEXT = "Dear Ada,\nplease send us a photo."


class _Run:
    run_after = start_date = datetime.now(UTC)


class _RunThatWasCleared(_Run):
    start_date = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def folder(connected: Sandbox) -> int:
    """A care folder."""
    order = connected.create_order(lines=[{"sku": "IP13-128-MID-C", "state": 3}], force=True)
    return int(connected.open_care_folder(order["orderlines"][0]["id"])["id"])


def _written(sandbox: Sandbox, folder: int) -> list[Any]:
    return [each for each in sandbox.merchant_messages() if each["folder_id"] == folder]


def _answer(folder: int, run: type[_Run] = _Run, **arguments: Any) -> int | None:
    context: Any = {"dag_run": run(), "run_id": "r"}
    operator = BackMarketCareMessageOperator(
        task_id="answer", care_folder_id=str(folder), **{"message": TEXT, **arguments}
    )
    return operator.execute(context)


def test_a_message_is_written_once_a_run(
    connected: Sandbox, folder: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its files; a cleared task finds it written, and no log has its text."""
    photo = tmp_path / "how-to.png"
    photo.write_bytes(b"\x89PNG")
    with caplog.at_level(logging.INFO):
        first = _answer(folder, attachments=[photo.as_uri()])
        assert _answer(folder, attachments=[photo.as_uri()]) == first
    (written,) = _written(connected, folder)
    assert written["message"] == TEXT
    assert [(each["filename"], each["content_type"]) for each in written["attachments"]] == [
        ("how-to.png", "image/png")
    ]
    assert "Ada" not in caplog.text


def test_a_run_that_is_cleared_later_writes_no_second_message(connected: Sandbox, folder: int) -> None:
    """Airflow lets it start anew, at another time."""
    first = _answer(folder)
    assert _answer(folder, _RunThatWasCleared) == first
    assert [each["message"] for each in _written(connected, folder)] == [TEXT]


@pytest.mark.parametrize("fault", ["reset_after", "empty_body", "cut_json"])
def test_a_lost_answer_is_looked_up(connected: Sandbox, folder: int, fault: str) -> None:
    """The folder shows it."""
    connected.fault(fault, method="POST", path_prefix="/ws/sav", times=None)
    for _ in range(2):
        _answer(folder, message=lambda _: TEXT)
    assert [each["message"] for each in _written(connected, folder)] == [TEXT]


def test_one_that_did_not_arrive_is_written_by_the_next_try(connected: Sandbox, folder: int) -> None:
    """It fails, and says so without the text."""
    connected.fault("reset_before", method="POST", path_prefix="/ws/sav")
    with pytest.raises(BackMarketError) as error:
        _answer(folder)
    assert "Ada" not in str(error.value)
    _answer(folder)
    assert [each["message"] for each in _written(connected, folder)] == [TEXT]


def test_without_a_text_nothing_is_sent(connected: Sandbox, folder: int) -> None:
    """A template that came out empty is no message."""
    with pytest.raises(ValueError, match="nothing was sent"):
        _answer(folder, message="  ")
    assert connected.journal("POST", path_prefix="/ws/sav") == []


def test_the_text_is_no_template_field() -> None:
    """Airflow shows and keeps what templates came to."""
    assert "message" not in BackMarketCareMessageOperator.template_fields
