"""Batches and categories as a hostile server answers them: what is not acted on costs nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.api import errors
from backmarket.services.batches import read_status
from tests.api.hostile_server import Reply

if TYPE_CHECKING:
    from backmarket.api.client import BackMarketClient
    from tests.api.hostile_server import HostileServer

LEAF = {"category_id": 1, "marketplace_category_id": 10, "is_leaf": True, "attributes": [{"field": "color"}]}


@pytest.mark.parametrize("odd", [{"task_id": {"id": 7}}, {"task_id": None}, {"task_id": 10**30}, {"x": [1]}])
def test_a_finished_batch_is_finished_whatever_stands_beside(
    client: BackMarketClient, server: HostileServer, odd: dict[str, Any]
) -> None:
    """The errors of its lines are read."""
    server.answer(Reply({"task_id": 7, "action_status": 9, "result": {"product_errors": {"A": "no match"}}, **odd}))
    found = read_status(client, 7, logging.getLogger())
    assert (found.state, found.errors) == ("done", {"a": "no match"})


def test_why_a_batch_failed_is_read_in_whatever_form(client: BackMarketClient, server: HostileServer) -> None:
    """An object where a text was is flattened to one."""
    server.answer(Reply({"task_id": 7, "action_status": 8, "last_action_error": {"code": "E1", "text": "cut off"}}))
    found = read_status(client, 7, logging.getLogger())
    assert (found.state, found.error) == ("failed", "code: E1; text: cut off")


@pytest.mark.parametrize("status", ["done", None, {"code": 9}, True, 10**30])
def test_a_batch_of_which_the_status_cannot_be_read_is_not_over(
    client: BackMarketClient, server: HostileServer, status: object
) -> None:
    """Nothing is settled by it, and nothing sent again."""
    server.answer(Reply({"task_id": 7, "action_status": status}))
    assert read_status(client, 7, logging.getLogger()).state == "running"


@pytest.mark.parametrize("odd", [{"statuscode": "fine"}, {"bodymessage": "77"}, {"shippings_response": 5}])
def test_a_batch_is_accepted_under_its_number(
    client: BackMarketClient, server: HostileServer, odd: dict[str, Any]
) -> None:
    """Whatever else the answer says."""
    server.answer(Reply({"bodymessage": 77, "statuscode": 200, **odd}))
    assert client.submit_batch("sku\nA\n", "fr-fr") == 77


@pytest.mark.parametrize("number", [True, 10**30, {"id": 77}, "many"])
def test_a_batch_without_a_number_is_lost(client: BackMarketClient, server: HostileServer, number: object) -> None:
    """So its SKUs are looked for: a number that is none would be asked for in vain."""
    server.answer(Reply({"bodymessage": number, "statuscode": 200}))
    with pytest.raises(errors.MalformedAnswerError, match="no batch id"):
        client.submit_batch("sku\nA\n", "fr-fr")


def test_an_odd_category_is_left_out_of_the_tree_and_named(client: BackMarketClient, server: HostileServer) -> None:
    """The rest is used."""
    odd = {**LEAF, "marketplace_category_id": 11, "category_name": "Odd", "attributes": [{"field": 5, "type": "x"}]}
    server.answer(Reply([{"category_id": 3, "childrens": [odd, LEAF]}]))
    tree = client.category_tree("fr-fr")
    assert [leaf.marketplace_category_id for root in tree for leaf in root.children] == [10]
    assert [(each.key, each.reason) for each in tree.left_out] == [
        ("11 / 1 / Odd", "attributes.0.type: no whole number")
    ]


@pytest.mark.parametrize("document", [{}, '"tree"', [], [{"category_id": "x"}]])
def test_a_tree_of_which_nothing_can_be_read_is_refused(
    client: BackMarketClient, server: HostileServer, document: object
) -> None:
    """So the one of yesterday goes on being used."""
    server.answer(Reply(document))
    with pytest.raises(errors.UnreadableDocumentError):
        client.category_tree("fr-fr")


FOUND = {"id": "9c2f0a35-30a8-4a8c-9b62-8f3f0f4f5a10", "sku": "ab-1", "quantity": 3}


@pytest.mark.parametrize("document", [{}, [], {"statuscode": 404}, {**FOUND, "sku": "AB-2"}, {**FOUND, "sku": None}])
def test_what_is_not_the_listing_of_a_sku_does_not_tell_that_it_is_listed(
    client: BackMarketClient, server: HostileServer, document: object
) -> None:
    """A row of the catalog would count as listed, and never be created, in green runs."""
    server.answer(Reply(document))
    with pytest.raises(errors.MalformedAnswerError, match="not the listing of the SKU"):
        client.find_listing("AB-1", "fr-fr")


@pytest.mark.parametrize(("sku", "asked"), [("ab-1", " AB-1"), (12, "12"), ("É-1", "é-1")])
def test_a_listing_is_that_of_a_sku_in_any_case(
    client: BackMarketClient, server: HostileServer, sku: object, asked: str
) -> None:
    """And with blanks around it; one that cannot be read is there all the same."""
    server.answer(Reply({**FOUND, "sku": sku}), Reply({**FOUND, "sku": sku, "quantity": "many"}))
    assert client.find_listing(asked, "fr-fr") is not None
    with pytest.raises(errors.UnreadableDocumentError):
        client.find_listing(asked, "fr-fr")


def test_another_listing_than_the_one_asked_for_tells_nothing_of_it(
    client: BackMarketClient, server: HostileServer
) -> None:
    """A quantity whose answer was lost would be confirmed by it; both of its ids are its own, in any case."""
    server.answer(Reply({**FOUND, "listing_id": 77}))
    for own in (FOUND["id"], str(FOUND["id"]).upper(), 77):
        assert client.get_listing(own, "fr-fr").quantity == 3  # type: ignore[arg-type]
    with pytest.raises(errors.MalformedAnswerError, match="another listing"):
        client.get_listing("0b0d2f64-6f0b-4c69-8f7e-0f4cf6a7b111", "fr-fr")
