"""Switches on which much hangs ask first, and a value that cannot be used is answered beside its field."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from tests.page.given import form_token, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    SignIn = Callable[..., TestClient]


@pytest.mark.parametrize(
    ("key", "value", "asked"),
    [
        ("backmarket_enabled", "true", "Switch everything on?"),
        ("backmarket_enabled", "false", "Switch everything off?"),
        ("backmarket_order_acceptance", "true", "Accept orders by themselves?"),
        ("backmarket_order_acceptance", "false", "Stop accepting orders?"),
        ("backmarket_refund_upload", "true", "Pay refunds back by themselves?"),
        ("backmarket_dry_run", "false", "End the dry run?"),
    ],
)
def test_a_switch_on_which_much_hangs_asks_first(
    signed_in: SignIn, warehouse_uri: str, key: str, value: str, asked: str
) -> None:
    """Nothing turns before the second press, which needs neither a mouse nor a script; leaving is a link."""
    op = signed_in("op")
    token = form_token(op.get("/backmarket/").text)
    answer = op.post(f"/backmarket/variables/{key}", data={"value": value, "csrf": token})
    assert answer.status_code == 200
    assert asked in answer.text
    assert stored(key) is None
    assert f'href="/backmarket/#{key}">Leave it as it is</a>' in answer.text
    form = re.search(r'<form method="post" action="([^"]+)">.*?</form>', answer.text, flags=re.DOTALL)
    assert form
    sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    assert op.post(html.unescape(form[1]), data=sent).status_code == 303
    assert stored(key) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [("backmarket_dry_run", "true"), ("backmarket_order_download", "true"), ("backmarket_max_qty", "9")],
)
def test_other_switches_turn_at_once(signed_in: SignIn, warehouse_uri: str, key: str, value: str) -> None:
    """What can be turned back without harm, and what makes everything safer."""
    op = signed_in("op")
    token = form_token(op.get("/backmarket/").text)
    assert op.post(f"/backmarket/variables/{key}", data={"value": value, "csrf": token}).status_code == 303
    assert stored(key) == value


def test_a_wrong_number_is_answered_beside_its_field(signed_in: SignIn, warehouse_uri: str) -> None:
    """On the page itself, with what was typed, and the other field as it was."""
    op = signed_in("op")
    token = form_token(op.get("/backmarket/").text)
    answer = op.post("/backmarket/variables/backmarket_safety_qty", data={"value": '2 or "3"', "csrf": token})
    assert answer.status_code == 400
    assert "What runs" in answer.text
    form = re.search(r'id="backmarket_safety_qty" class="limit">.*?</form>', answer.text, flags=re.DOTALL)
    assert form
    assert 'value="2 or &#34;3&#34;"' in form[0]
    assert 'aria-invalid="true" aria-describedby="backmarket_safety_qty-problem"' in form[0]
    said = html.unescape(form[0])
    assert """'2 or "3"' cannot be used. Accepted:""" in said
    assert "Nothing was changed." in said
    assert answer.text.count("cannot be used") == 1
    assert stored("backmarket_safety_qty") is None
