"""``accounts.yml``: the accounts that one Airflow runs; a slip in one entry costs no other account its DAGs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from backmarket.accounts_file import AccountsFileError, read_accounts
from backmarket.concerns import CONCERNS
from backmarket.dags import create_dag, create_dags, create_dags_of_accounts
from backmarket.seller_account import dag_id_of, seller_account

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "accounts.yml"


def test_accounts_have_the_connections_their_names_lead_to(file: Path) -> None:
    """Nothing but the name is needed; any connection may be named."""
    file.write_text(
        "accounts:\n  default:\n  us: {}\n  jp:\n    backmarket_conn_id: tokyo\n    warehouse_conn_id: asia\n"
    )
    accounts, problems = read_accounts(file)
    assert problems == []
    assert [(each.name, each.backmarket_conn_id, each.warehouse_conn_id) for each in accounts] == [
        ("default", "backmarket_default", "backmarket_warehouse"),
        ("us", "backmarket_us", "backmarket_warehouse"),
        ("jp", "tokyo", "asia"),
    ]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("US:", "cannot be called 'US'"),
        ("u__s:", "cannot be called 'u__s'"),
        ("no:", "its name is not a text"),
        ("7:", "its name is not a text"),
        ("shop: backmarket_shop", "pairs of a key and a connection"),
        ("shop: {backmarket_connection: x}", "backmarket_connection means nothing here"),
        ("shop: {backmarket_conn_id: }", "not the id of a connection"),
        ("shop: {backmarket_conn_id: 5}", "not the id of a connection"),
        ("shop: {backmarket_conn_id: backmarket_us}", "same backmarket_conn_id as us"),
        (f"{'a' * 33}:", "up to 32"),
        ("shop: {backmarket_conn_id: ' backmarket_us '}", "same backmarket_conn_id as us"),
        ("shop: {backmarket_conn_id: one, warehouse_conn_id: one}", "one cannot be both"),
        ("shop: {backmarket_conn_id: backmarket_warehouse}", "backmarket_warehouse cannot be both"),
        ("shop: {backmarket_conn_id: one}\n  shop: {backmarket_conn_id: two}", "its name stands there twice"),
        ("shop: &shop {backmarket_conn_id: one}\n  'shop': *shop", "its name stands there twice"),
        ("shop: {backmarket_conn_id: one, backmarket_conn_id: two}", "backmarket_conn_id stands there twice"),
    ],
)
def test_a_slip_in_one_entry_is_named_and_costs_no_other(file: Path, entry: str, why: str) -> None:
    """The others have all their DAGs; one more DAG fails, and says what is wrong."""
    file.write_text(f"accounts:\n  us:\n  {entry}\n  eu:\n")
    accounts, problems = read_accounts(file)
    assert [each.name for each in accounts] == ["us", "eu"]
    (problem,) = problems
    assert why in problem
    dags = create_dags_of_accounts(file)
    ours = {dag_id_of(concern.stem, account) for concern in CONCERNS for account in ("us", "eu")}
    assert set(dags) == {*ours, "backmarket_accounts_file"}
    check: Any = dags["backmarket_accounts_file"].get_task("accounts_file_check")
    with pytest.raises(AccountsFileError, match="All other accounts are run"):
        check.execute({})
    assert why in (dags["backmarket_accounts_file"].doc_md or "")


@pytest.mark.parametrize(
    "content", ["", "accounts:", "accounts: [us, eu]", "- us", "accounts: {us: ", "\t", "since: 2026-02-30"]
)
def test_a_file_that_lists_nothing_is_told(file: Path, content: str) -> None:
    """An empty or broken file gives no DAGs but the one that says so; no import error hides it in a list."""
    file.write_text(content)
    dags = create_dags_of_accounts(file)
    assert set(dags) == {"backmarket_accounts_file"}
    # Where Airflow creates DAGs paused, nobody would see it.
    assert dags["backmarket_accounts_file"].is_paused_upon_creation is False
    check: Any = dags["backmarket_accounts_file"].get_task("accounts_file_check")
    with pytest.raises(AccountsFileError, match="No account is run"):
        check.execute({})


def test_two_lists_of_accounts_are_told(file: Path) -> None:
    """Of two files put together YAML keeps the last list alone: the accounts of the first would be gone unseen."""
    file.write_text("accounts:\n  us:\naccounts:\n  eu:\n")
    accounts, (problem,) = read_accounts(file)
    assert [each.name for each in accounts] == ["eu"]
    assert "accounts: twice" in problem


def test_a_file_that_is_missing_is_told(file: Path) -> None:
    """By its name."""
    (problem,) = read_accounts(file)[1]
    assert "accounts.yml cannot be read" in problem


def test_no_problem_no_dag_about_it(file: Path) -> None:
    """A list that is right adds nothing."""
    file.write_text("accounts:\n  us:\n")
    assert "backmarket_accounts_file" not in create_dags_of_accounts(file)


def test_reading_accounts_asks_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DAG file is parsed all day long: no database, no Variable, no connection is read for it."""
    from airflow.sdk import BaseHook, Variable

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("touched the outside while parsing")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(Variable, "get", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    file.write_text("accounts:\n  us:\n  eu:\n")
    assert len(create_dags_of_accounts(file)) == 2 * len(CONCERNS)


def test_the_default_account_keeps_its_names() -> None:
    """``create_dags()`` gives the DAGs that everybody knows; ``create_dag`` gives one of them."""
    assert set(create_dags()) == {f"backmarket_{concern.stem}" for concern in CONCERNS}
    assert create_dag("orders").dag_id == "backmarket_orders"
    assert create_dag("orders", "us").dag_id == "backmarket_us_orders"


def test_shop_and_backmarket_shop_are_two_accounts() -> None:
    """No DAG, Variable or connection of one is the other's."""
    shop, other = create_dags("shop"), create_dags("backmarket_shop")
    assert not shop.keys() & other.keys()
    assert seller_account("shop").backmarket_conn_id != seller_account("backmarket_shop").backmarket_conn_id


def test_no_dag_of_one_account_has_the_name_of_anothers() -> None:
    """Whatever accounts are called: no concern's name ends in another's."""
    stems = [concern.stem for concern in CONCERNS]
    assert [one for one in stems for other in stems if one.endswith(f"_{other}")] == []


@pytest.mark.parametrize("name", ["", "Us", "us-east", "us__east", "_us", "us_", "ü", "us.east", "a" * 33])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    """It becomes part of the names of DAGs, Variables and tables."""
    with pytest.raises(ValueError, match="An account cannot be called"):
        create_dags(name)


def test_a_task_waits_for_no_dag_but_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Airflow runs a task, the file makes that task's DAG; for any other it makes all, as it always did."""
    file.write_text("accounts:\n  us:\n  eu:\n")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "backmarket_eu_orders")
    assert set(create_dags_of_accounts(file)) == {"backmarket_eu_orders"}
    assert set(create_dags("eu")) == {"backmarket_eu_orders"}
    assert len(create_dags("jp")) == len(CONCERNS)
