"""What an address needs to know before it answers: who asks, about which account, and what that person may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request
from sqlalchemy.orm import Session

from backmarket.page import access
from backmarket.page.place import Place
from backmarket.seller_account import DEFAULT_ACCOUNT, DEFAULT_WAREHOUSE, dag_id_of, seller_account

if TYPE_CHECKING:
    from collections.abc import Iterator


def _session() -> Iterator[Session]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        yield session


User = Annotated[BaseUser, Depends(get_user)]
Airflow = Annotated[Session, Depends(_session)]


def _place(request: Request, session: Airflow, account: str = "") -> Place:
    """Say whose data it is: the account of the address, or the default one, or the first where there is no such.

    :raises HTTPException: 404 where no account can be called so.
    """
    from backmarket.page.airflow_state import known_accounts

    accounts = known_accounts(session)
    home = DEFAULT_ACCOUNT if DEFAULT_ACCOUNT in accounts else next(iter(accounts), DEFAULT_ACCOUNT)
    place = Place(account or home, accounts.get(account or home, DEFAULT_WAREHOUSE))
    try:
        seller_account(place.account)
    except ValueError as error:
        raise HTTPException(404, str(error)) from None
    request.state.account, request.state.home, request.state.accounts = place.account, home, accounts
    return place


Where = Annotated[Place, Depends(_place)]


def _readable(request: Request, user: User, where: Where) -> frozenset[str]:
    stems = access.readable_stems(user, where.account)
    readable = request.state.readable = access.require_any(stems, where.account)
    return readable


Readable = Annotated[frozenset[str], Depends(_readable)]


def require(readable: frozenset[str], stem: str, where: Place) -> None:
    """Refuse who may not see a concern.

    :raises HTTPException: 403.
    """
    if stem not in readable:
        dag_id = dag_id_of(stem, where.account)
        raise HTTPException(403, f"You may not see the runs of {dag_id}. Ask your Airflow administrator.")


def account_query(request: Request, where: Place) -> str:
    """Return what keeps an address on this account; nothing where it is the one that is shown without."""
    return "" if where.account == request.state.home else f"?{urlencode({'account': where.account})}"
