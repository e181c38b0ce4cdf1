"""Does what a person asks for on the lists of what waits: work off, try again, decide, take back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from backmarket.concerns import BACKBOX, INVENTORY_PRICES, PRICE_APPROVAL, REFUND_APPROVAL
from backmarket.page import access
from backmarket.page.access import Notice
from backmarket.page.runs import start_run
from backmarket.page.variables import value_of
from backmarket.seller_account import dag_id_of
from backmarket.services import work_off as service
from backmarket.warehouse import need_marks
from backmarket.warehouse.needs import need_of, parameters_of_worked_off, read_need, stem_of_item

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from sqlalchemy.orm import Session

    from backmarket.page.place import Place
    from backmarket.page.runs import Started
    from backmarket.services.work_off import Done
    from backmarket.warehouse.need_marks import Mark
    from backmarket.warehouse.needs import Need
    from backmarket.warehouse.snapshot import Reader

_MARKS: dict[str, Mark] = {"resolve": "resolved", "ignore": "ignored", "comment": "commented", "retry": "retried"}
_WORDS = {
    "resolved": "resolved",
    "ignored": "ignored until it changes",
    "commented": "commented",
    "retried": "to be tried again",
    "approved": "approved",
    "declined": "declined",
    "paid_back": "noted as paid back",
    "not_paid_back": "noted as not paid back",
}
_DECISION_DAYS = {PRICE_APPROVAL.stem: "price_decision_days", REFUND_APPROVAL.stem: "refund_decision_days"}
"""The Variable, without ``backmarket_``, that says how long a decision holds."""
_LONGEST_COMMENT = 500


@dataclass(frozen=True)
class Acting:
    """Who does something, and where.

    :param readable: the concerns that the person may see.
    """

    session: Session
    user: BaseUser
    place: Place
    readable: frozenset[str]


def work_off(acting: Acting, kind: Need, chosen: list[str], action: str, comment: str) -> Notice:
    """Do one thing about the chosen things of a kind, all or nothing; a retry then starts the DAGs it is about.

    :raises HTTPException: 404 for what cannot be done about it, 403 where the person may not.
    """
    mark = _MARKS.get(action)
    if mark is None or not kind.can_be_marked:
        raise HTTPException(404, "There is no such page.")
    comment = comment.strip()[:_LONGEST_COMMENT]
    if not chosen:
        return Notice("Nothing was selected, so nothing was done.")
    if mark == "commented" and not comment:
        return Notice("There was no comment to keep: write it, then press Comment.")
    with acting.place.write() as database:
        need = _as_it_is(database, acting, kind)
        items = service.choose(need, chosen)
        stems = {stem_of_item(kind, item) for item in items}
        for stem in sorted(stems):
            if not access.may_work_off(acting.user, stem, acting.place.account):
                dag_id = dag_id_of(stem, acting.place.account)
                raise HTTPException(403, f"You may not do this: it needs the right to edit {dag_id}. Nothing was done.")
        done = service.work_off(database, need, items, mark, comment=comment, by=acting.user.get_name())
    _log(acting, f"{kind.name}: {mark}", done)
    told = _told(done, len(chosen), mark)
    return _start(acting, need, done, told) if mark == "retried" else Notice(told)


def decide(acting: Acting, need: Need, chosen: list[str], action: str, comment: str) -> Notice:
    """Answer the chosen things that wait for a decision, and start the run that goes by it.

    :raises HTTPException: 404 for another action, 403 where the person may not.
    """
    answer = next((each for each in need.answers if each.action == action), None)
    if answer is None:
        raise HTTPException(404, "There is no such page.")
    require_approver(acting, need)
    if not chosen:
        return Notice("Nothing was selected, so nothing was done.")
    days = value_of(acting.session, acting.place.account, _DECISION_DAYS[need.decided_by])
    with acting.place.write() as database:
        done = service.decide(
            database,
            need,
            service.choose(_as_it_is(database, acting, need), chosen),
            answer,
            comment=comment.strip()[:_LONGEST_COMMENT],
            by=acting.user.get_name(),
            decided_since=datetime.now(UTC) - timedelta(days=days),
        )
    _log(acting, f"{need.name}: {answer.mark}", done)
    told = _told(done, len(chosen), answer.mark)
    if not done.items:
        return Notice(told)
    if need.is_asked_in_airflow:
        _answer_empty_questions(acting, need, done.run_ids)
    return _start(acting, need, done, told)


def take_back(acting: Acting, mark_ids: list[int]) -> Notice:
    """Let things that were resolved or ignored wait again.

    :raises HTTPException: 403 where the person may not.
    """
    with acting.place.write() as database:
        done = database.rows("worked_off", **parameters_of_worked_off(acting.readable))
        rows = {row["mark_id"]: row for row in done}
        found = [rows[mark_id] for mark_id in mark_ids if mark_id in rows]
        for row in found:
            kind = need_of(row["need"])
            stem = stem_of_item(kind, row) if kind else ""
            if not access.may_work_off(acting.user, stem, acting.place.account):
                raise HTTPException(403, "You may not do this: it needs the right to edit the DAG that it belongs to.")
        back = need_marks.reopen(
            database.connection, acting.place.account, [row["mark_id"] for row in found], by=acting.user.get_name()
        )
    return Notice(f"{_things(back)} listed again, where still so.")


def require_approver(acting: Acting, need: Need) -> None:
    """Refuse who may not decide about these things.

    :raises HTTPException: 403.
    """
    if not access.may_approve(acting.user, need.decided_by, acting.place.account):
        raise HTTPException(403, "You may not decide this: that needs the right to answer the form in Airflow.")


def _as_it_is(database: Reader, acting: Acting, kind: Need) -> Need:
    hours = value_of(acting.session, acting.place.account, "care_answer_hours")
    return read_need(database, kind, acting.readable, most=None, answer_hours=hours)


def _told(done: Done, chosen: int, mark: str) -> str:
    told = f"{_things(len(done.items))} {_WORDS[mark]}."
    if left := chosen - len(done.items):
        told += f" {_things(left)} changed or decided since the page was shown: look again."
    return told


def _things(number: int) -> str:
    return f"{number:,} thing{'' if number == 1 else 's'}"


def _log(acting: Acting, what: str, done: Done) -> None:
    """Note in Airflow's audit log who did what."""
    from airflow.models.log import Log

    extra = f"{what}: {', '.join(str(item['subject']) for item in done.items)}"[:1000]
    acting.session.add(Log(event="backmarket_page_work_off", owner=acting.user.get_name(), extra=extra))


def _start(acting: Acting, need: Need, done: Done, told: str) -> Notice:
    """Start the DAG of each concern that things wait for, and note for each mark which run it was."""
    stems = [stem_of_item(need, item) for item in done.items]
    if _is_repricing_alone(acting):
        prices = (INVENTORY_PRICES.stem, "price")
        named = zip(stems, done.items, strict=True)
        stems = [BACKBOX.stem if (stem, item["kind"]) == prices else stem for stem, item in named]
    started: dict[str, Started] = {
        stem: start_run(acting.session, acting.user, dag_id_of(stem, acting.place.account))
        for stem in sorted(set(stems))
    }
    # The runs are in Airflow's database before the marks name them.
    acting.session.commit()
    with acting.place.write() as database:
        for stem, run in started.items():
            mark_ids = [mark_id for mark_id, its_stem in zip(done.mark_ids, stems, strict=True) if its_stem == stem]
            if run.run_id:
                need_marks.note_run(database.connection, acting.place.account, mark_ids, run.path)
    return Notice(
        " ".join([told, *(run.text for run in started.values())]),
        next((run.path for run in started.values() if run.path), ""),
    )


def _is_repricing_alone(acting: Acting) -> bool:
    """Tell whether prices go out with repricing only: what sends all others is off."""
    repricing, prices_upload = (
        value_of(acting.session, acting.place.account, toggle) for toggle in ("repricing", "prices_upload")
    )
    return bool(repricing and not prices_upload)


def _answer_empty_questions(acting: Acting, need: Need, run_ids: frozenset[str]) -> None:
    """Answer the forms in Airflow that have nothing left to decide; they would stand there until their time is over."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

    from backmarket.services.approval import NONE_OF_THEM

    desk = service.DESKS[need.name]
    answer: dict[str, Any] = {"chosen_options": [NONE_OF_THEM], "params_input": {}}
    for run_id in run_ids:
        with acting.place.read() as database:
            is_empty = not desk.asked(database.connection, acting.place.account, run_id=run_id)
        if is_empty:
            try:
                update_hitl_detail(
                    dag_id_of(need.decided_by, acting.place.account),
                    run_id,
                    # Such a DAG asks in the task of its own name.
                    need.decided_by,
                    UpdateHITLDetailPayload(**answer),
                    acting.user,
                    acting.session,
                )
            except HTTPException as error:
                # There is no such question, or somebody has answered it: nothing is left to answer.
                if error.status_code not in {404, 409}:
                    raise
