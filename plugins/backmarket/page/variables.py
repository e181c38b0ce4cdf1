"""The Variables a person may change on the page, read and written as Airflow's own pages do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import HTTPException

from backmarket import environment, sources
from backmarket.concerns import SWITCHES
from backmarket.seller_account import DEFAULT_ACCOUNT
from backmarket.settings import PREFIX, VARIABLES, Settings, VariableError, keys_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from sqlalchemy.orm import Session

AnySettings = TypeVar("AnySettings", bound=Settings)

_SHARED = ("enabled", "dry_run", "safety_qty", "max_qty")


@dataclass(frozen=True)
class VariableState:
    """What a Variable says now.

    :param key: the Variable that the page changes: the account's own, but the common one for the default account
        while it has none of its own.
    :param said_by: the Variable that tasks take it from; the same one, or the common one.
    :param text: as it is stored; empty where it is missing.
    :param value: as tasks understand it; the default where it is missing or a problem.
    :param kept_by: where it is set, if the page cannot change it there: ``environment``, or a secrets backend.
    :param problem: why it cannot be used; empty where it can.
    """

    key: str
    said_by: str
    text: str
    value: Any
    kept_by: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked before a Variable is changed on which much hangs.

    :param title: what is about to be done.
    :param text: what follows from it.
    :param button: what a person presses to go on.
    """

    title: str
    text: str
    button: str


class WrongValueError(Exception):
    """A value cannot be used for a Variable; the text says why and what can be."""


_QUESTIONS = {
    ("enabled", True): Question(
        "Switch everything on?",
        "From the next run on, all that is switched on below reads from Back Market and sends to it.",
        "Switch on",
    ),
    ("enabled", False): Question(
        "Switch everything off?",
        "Nothing is read and nothing is sent until it is on again: no orders are accepted or shipped, and quantities "
        "stay as they are, whatever is sold elsewhere.",
        "Switch off",
    ),
    ("order_acceptance", True): Question(
        "Accept orders by themselves?",
        "From the next run on, every paid line that the stock covers is accepted. Back Market takes no acceptance "
        "back: each of these orders has to be shipped.",
        "Accept orders",
    ),
    ("order_acceptance", False): Question(
        "Stop accepting orders?",
        "Paid orders wait until a person accepts them in the Back Office; those that wait too long are late.",
        "Stop accepting",
    ),
    ("refund_upload", True): Question(
        "Pay refunds back by themselves?",
        "From the next run on, what seller.refunds asks for is paid back to customers: up to "
        "backmarket_refund_approval_above at once, what is more after a person approved it. No refund can be undone.",
        "Pay back",
    ),
    ("repricing", True): Question(
        "Let prices follow the competition?",
        "From the next run on, prices whose cost is known move between their floor and their ceiling: by themselves "
        "where backmarket_repricing_auto_margin_pct is left, else after a person approved it. In a dry run, none does.",
        "Reprice",
    ),
    ("dry_run", False): Question(
        "End the dry run?",
        "From the next run on, what is planned is sent to Back Market.",
        "End the dry run",
    ),
}


def question_about(account: str, key: str, text: str) -> Question | None:
    """Return what to ask before a Variable is changed; None where it is changed at once, or cannot be here."""
    field = key.removeprefix(PREFIX).rpartition("__")[2]
    settings = editable().get(field)
    if settings is None or key not in keys_of(account, field) or _outside(key)[1]:
        return None
    try:
        wanted = getattr(settings.checked({field: text.strip()}), field)
    except VariableError:
        return None
    return _QUESTIONS.get((field, wanted))


def value_of(session: Session, account: str, field: str) -> Any:
    """Return what a task of an account would take a Variable for; its default where that cannot be used."""
    from airflow.models.variable import Variable
    from sqlalchemy import select

    found = session.scalars(select(Variable).where(Variable.key.in_(keys_of(account, field))))
    return _state(account, field, VARIABLES[field], {variable.key: variable.val or "" for variable in found}).value


def load(session: Session, account: str, settings: type[AnySettings]) -> AnySettings:
    """Return the settings that a task of an account would read.

    :raises VariableError: as for the task, where a Variable cannot be understood.
    """
    said = _said(session, account, settings.model_fields)
    values = {field: text.strip() for field, (_, text) in said.items() if text.strip()}
    return settings.checked(values, {field: key for field, (key, _) in said.items()})


def key_of(session: Session, account: str, field: str) -> str:
    """Return the Variable that a task of an account would read for a field."""
    return _said(session, account, [field])[field][0]


def _said(session: Session, account: str, fields: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return by field the Variable that says it, and what that holds."""
    from airflow.models.variable import Variable
    from sqlalchemy import select

    candidates = {field: keys_of(account, field) for field in fields}
    keys = [key for both in candidates.values() for key in both]
    stored = {
        variable.key: variable.val or "" for variable in session.scalars(select(Variable).where(Variable.key.in_(keys)))
    }
    found = {}
    for field, (own, common) in candidates.items():
        key = common if _find(own, stored)[0] is None else own
        found[field] = key, _find(key, stored)[0] or ""
    return found


def editable() -> dict[str, type[Settings]]:
    """Return each field that the page may change, with the settings class that checks it."""
    return {field: VARIABLES[field] for field in (*_SHARED, *(switch.toggle for _, switch in SWITCHES))}


def read_all(session: Session, account: str) -> dict[str, VariableState]:
    """Return the state of every editable Variable of an account by its field, from wherever a task would take it."""
    from airflow.models.variable import Variable
    from sqlalchemy import select

    fields = editable()
    keys = [key for field in fields for key in keys_of(account, field)]
    stored = {
        variable.key: variable.val or "" for variable in session.scalars(select(Variable).where(Variable.key.in_(keys)))
    }
    return {field: _state(account, field, settings, stored) for field, settings in fields.items()}


def write(session: Session, user: BaseUser, account: str, key: str, text: str) -> None:
    """Set a Variable of an account, or of all, and note in Airflow's audit log who did.

    :raises HTTPException: 404 for a Variable that is not on the page, 409 for one that is set elsewhere.
    :raises WrongValueError: for a value that a task would refuse.
    """
    from airflow.models.log import Log
    from airflow.models.variable import Variable
    from sqlalchemy import select

    field = key.removeprefix(PREFIX).rpartition("__")[2]
    settings = editable().get(field)
    if settings is None or key not in keys_of(account, field):
        raise HTTPException(404, f"{key} cannot be changed here.")
    if kept_by := _outside(key)[1]:
        raise HTTPException(409, f"{key} is set by {kept_by}, which wins over Airflow's own: change it there.")
    text = text.strip()
    if text:
        try:
            settings.checked({field: text})
        except VariableError:
            accepted = settings.model_fields[field].description
            raise WrongValueError(f"{text[:40]!r} cannot be used. Accepted: {accepted}.") from None
    known = session.scalar(select(Variable).where(Variable.key == key))
    Variable.set(
        key,
        text,
        description=known.description if known else None,
        team_name=known.team_name if known else None,
        session=session,
    )
    session.add(Log(event="backmarket_page_variable", owner=user.get_name(), extra=f"{key} set to {text!r}"))


def _state(account: str, field: str, settings: type[Settings], stored: dict[str, str]) -> VariableState:
    own, common = keys_of(account, field)
    said_by, said, said_in = next(
        ((key, *found) for key in (own, common) if (found := _find(key, stored))[0] is not None), (common, "", "")
    )
    key = common if account == DEFAULT_ACCOUNT and said_by == common else own
    kept_by = said_in if key == said_by else ""
    text = (said or "").strip()
    try:
        value = getattr(settings.checked({field: text} if text else {}), field)
    except VariableError:
        accepted = settings.model_fields[field].description
        default = settings.model_fields[field].get_default()
        return VariableState(key, said_by, text, default, kept_by, f"holds {text[:40]!r}; accepted: {accepted}")
    return VariableState(key, said_by, text, value, kept_by)


def _find(key: str, stored: dict[str, str]) -> tuple[str | None, str]:
    """Return what a Variable holds, None where there is none, and what keeps it besides Airflow's own database."""
    outside, kept_by = _outside(key)
    return (stored.get(key), "") if outside is None else (outside, kept_by)


def _outside(key: str) -> tuple[str | None, str]:
    """Return what a place before Airflow's own database holds, and its name for a person."""
    from airflow.configuration import ensure_secrets_loaded

    return sources.variable_source(key, ensure_secrets_loaded())


def connection_sources(conn_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return each connection with what holds it before Airflow's own database: as ``kept_by`` of a Variable."""
    from airflow.configuration import ensure_secrets_loaded

    backends = ensure_secrets_loaded()
    return [(conn_id, sources.connection_source(conn_id, backends)) for conn_id in conn_ids]


def unread_variables(session: Session, account: str, accounts: Collection[str]) -> list[sources.Unread]:
    """Return the Variables that look like ours and that nobody reads, of Airflow's database and of this environment.

    :param account: whose page it is: what names another one is for that one's page alone.
    :param accounts: those there are.
    """
    from airflow.models.variable import Variable
    from sqlalchemy import func, select

    stored = session.scalars(select(Variable.key).where(func.lower(Variable.key).startswith("back")))
    others = tuple(f"{PREFIX}{other}__" for other in accounts if other != account)
    keys = [key for key in (*stored, *environment.keys_of_variables()) if not key.startswith(others)]
    return sources.unread_variables(keys, {account})
