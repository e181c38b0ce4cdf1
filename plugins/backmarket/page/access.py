"""Who may see the page, who may change a Variable on it, and how a form proves that this page showed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    DagAccessEntity,
    DagDetails,
    VariableDetails,
)
from fastapi import HTTPException
from itsdangerous import BadSignature, URLSafeTimedSerializer

from backmarket.concerns import STEMS
from backmarket.seller_account import DEFAULT_ACCOUNT, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

FORM_LIFETIME_SECONDS = 12 * 60 * 60
_NOTICE_SECONDS = 5 * 60


class Notice(NamedTuple):
    """What a form has done, told on the page that follows.

    :param path: of the run in Airflow that it started; empty where there is none.
    """

    text: str
    path: str = ""


def readable_stems(user: BaseUser, account: str) -> frozenset[str]:
    """Return the concerns of an account whose DAG's runs a user may see."""
    from airflow.models.dag import DagModel

    manager = get_auth_manager()
    dag_ids = {stem: dag_id_of(stem, account) for stem in STEMS}
    teams = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids.values()))
    return frozenset(
        stem
        for stem, dag_id in dag_ids.items()
        if manager.is_authorized_dag(
            method="GET",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            user=user,
        )
    )


def require_any(readable: frozenset[str], account: str) -> frozenset[str]:
    """Return the concerns that a user may see.

    :raises HTTPException: 403 where there is none: the page has nothing for this user.
    """
    if not readable:
        whose = "" if account == DEFAULT_ACCOUNT else f" of account {account}"
        raise HTTPException(
            403, f"You may not see the runs of any Back Market DAG{whose}. Ask your Airflow administrator."
        )
    return readable


def may_edit(user: BaseUser, variables: Iterable[str]) -> frozenset[str]:
    """Return those of some Variables that a user may change, as under Admin → Variables."""
    from airflow.models.variable import Variable

    manager = get_auth_manager()
    keys = list(variables)
    teams = Variable.get_key_to_team_name_mapping(keys)
    return frozenset(
        key
        for key in keys
        if manager.is_authorized_variable(
            method="PUT", details=VariableDetails(key=key, team_name=teams.get(key)), user=user
        )
    )


def may_work_off(user: BaseUser, stem: str, account: str) -> bool:
    """Tell whether a user may work off what belongs to a concern: whoever may edit its DAG."""
    return _may(user, dag_id_of(stem, account), "PUT")


def may_approve(user: BaseUser, stem: str, account: str) -> bool:
    """Tell whether a user may decide what a concern asks people about: whoever may answer its form in Airflow."""
    return _may(user, dag_id_of(stem, account), "PUT", DagAccessEntity.HITL_DETAIL)


def may_start(user: BaseUser, dag_id: str) -> bool:
    """Tell whether a user may start a run of a DAG."""
    return _may(user, dag_id, "POST", DagAccessEntity.RUN)


def _may(user: BaseUser, dag_id: str, method: ResourceMethod, entity: DagAccessEntity | None = None) -> bool:
    from airflow.models.dag import DagModel

    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    allowed: bool = get_auth_manager().is_authorized_dag(
        method=method, access_entity=entity, details=details, user=user
    )
    return allowed


def form_token(user: BaseUser) -> str:
    """Return what a form of this user must bring back: signed, so that no other site can make one."""
    return _serializer().dumps(user.get_id())


def check_form_token(user: BaseUser, token: str) -> None:
    """Accept a form only from a page that was shown to this very user.

    :raises HTTPException: 403 where the token is missing, forged, another user's or older than 12 hours.
    """
    try:
        shown_to = _serializer().loads(token, max_age=FORM_LIFETIME_SECONDS)
    except BadSignature:
        shown_to = None
    if shown_to is None or shown_to != user.get_id():
        raise HTTPException(403, "This form is no longer valid. Nothing was changed: load the page again and repeat.")


def sign_notice(notice: Notice) -> str:
    """Return what was done as a part of an address: signed, so that no link can put words on the page."""
    return _serializer("backmarket-notice").dumps(list(notice))


def read_notice(signed: str) -> Notice | None:
    """Return what an address says was done; None where it says nothing, or nothing of the last five minutes."""
    try:
        return Notice(*_serializer("backmarket-notice").loads(signed, max_age=_NOTICE_SECONDS)) if signed else None
    except BadSignature:
        return None


def _serializer(salt: str = "backmarket-page") -> URLSafeTimedSerializer:
    from airflow.configuration import conf

    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt=salt)
