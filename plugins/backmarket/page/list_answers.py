"""Answers with a list: a page of it, or all of it as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException

from backmarket.page import downloads, lists
from backmarket.page.rendering import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request
    from fastapi.responses import HTMLResponse, Response, StreamingResponse

    from backmarket.page.place import Place


def show_list(
    request: Request,
    template: str,
    list_of: lists.ListOf,
    where: Place,
    readable: frozenset[str],
    *,
    kept: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """A page of a list as its address asks for, or all of it as a file.

    :param kept: as for :func:`read_list`.
    """
    list_of = lists.readable_part(list_of, readable)
    if file := file_of(request, list_of, where):
        return file
    return render_list(request, template, read_list(request, list_of, where, kept), where, **values)


def read_list(
    request: Request, list_of: lists.ListOf, where: Place, kept: Mapping[str, str] | None = None
) -> lists.Shown:
    """Read the page of a list that an address asks for.

    :param kept: what every address of the list has to carry, besides the account.
    """
    account = {} if where.account == request.state.home else {"account": where.account}
    return lists.show(list_of, request.query_params, where, {**account, **(kept or {})})


def render_list(request: Request, template: str, shown: lists.Shown, where: Place, **values: Any) -> HTMLResponse:
    """Answer with a page of a list that was read."""
    from backmarket.page.overview import log_path

    return render(
        request,
        template,
        status=400 if shown.wanted.problems else 200,
        shown=shown,
        log_path=partial(log_path, where.account),
        now=datetime.now(UTC),
        **values,
    )


def file_of(request: Request, list_of: lists.ListOf, where: Place) -> StreamingResponse | None:
    """Answer with all of a list as a file where the address asks for one; None where it does not.

    :raises HTTPException: 400 where the filter cannot be used: nobody would notice it in a file.
    """
    ending = request.query_params.get("format", "")
    if ending not in downloads.FORMATS:
        return None
    wanted = lists.wanted_of(list_of, request.query_params)
    if wanted.problems:
        raise HTTPException(400, " ".join(f"{name}: {why}" for name, why in wanted.problems.items()))
    return downloads.answer(lists.download_of(list_of, wanted, where), ending, where.account)
