"""Reads ``accounts.yml``: the seller accounts that one Airflow runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from backmarket.seller_account import SellerAccount, seller_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KEYS = frozenset({"backmarket_conn_id", "warehouse_conn_id"})


class AccountsFileError(Exception):
    """Some accounts are not run, because of how they are listed.

    :param runs_others: whether any account is.
    """

    def __init__(self, problems: Sequence[str], *, runs_others: bool) -> None:
        rest = "All other accounts are run." if runs_others else "No account is run."
        super().__init__(
            f"{' '.join(problems)} {rest} Correct the file; this DAG goes once nothing in it is wrong any more."
        )


def read_accounts(file: Path) -> tuple[list[SellerAccount], list[str]]:
    """Return the accounts that can be used, and in a sentence each what is wrong with the others.

    .. code-block:: yaml

        accounts:
          default:
          us:
            backmarket_conn_id: backmarket_us      # this one by default
            warehouse_conn_id: backmarket_warehouse  # this one by default
    """
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return [], [f"{file.name} cannot be read: {' '.join(str(error).split())}"]
    entries = content.get("accounts") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        return [], [f"{file.name} lists no accounts. It needs a key accounts: with a name for each account below it."]
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entry_nodes = _entry_nodes(root)
    accounts: list[SellerAccount] = []
    problems: list[str] = []
    if sum(key.value == "accounts" for key, _ in root.value) > 1:
        problems.append(f"{file.name} has the key accounts: twice, and none above the last counts: list all below one.")
    for name, entry in entries.items():
        try:
            nodes = entry_nodes.get(str(name), [])
            if len(nodes) > 1:
                raise ValueError("its name stands there twice: which of the two is meant is not guessed.")  # noqa: TRY301
            if twice := _keys_that_stand_twice(nodes):
                raise ValueError(f"{twice[0]} stands there twice: which of the two is meant is not guessed.")  # noqa: TRY301
            account = _account(name, entry)
            _refuse_shared_connection(account, accounts)
            accounts.append(account)
        except ValueError as error:
            problems.append(f"{file.name}, account {name}: {error}")
    return accounts, problems


def _account(name: Any, entry: Any) -> SellerAccount:
    if not isinstance(name, str):
        raise ValueError('its name is not a text. Put it in quotes: "no" and "1" are no names without them.')  # noqa: TRY004
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        raise ValueError("below its name stand pairs of a key and a connection, or nothing.")  # noqa: TRY004
    if unknown := sorted(str(key) for key in entry.keys() - _KEYS):
        raise ValueError(f"{', '.join(unknown)} means nothing here. Accepted: {', '.join(sorted(_KEYS))}.")
    if bad := [key for key, value in entry.items() if not isinstance(value, str) or not value.strip()]:
        raise ValueError(f"{bad[0]} is not the id of a connection.")
    account = seller_account(name, **{key: value.strip() for key, value in entry.items()})
    if account.backmarket_conn_id == account.warehouse_conn_id:
        raise ValueError(
            f"{account.backmarket_conn_id} cannot be both: one connection is for Back Market, one for the database."
        )
    return account


def _entry_nodes(root: Any) -> dict[str, list[Any]]:
    """Return what stands below each name: reading YAML drops all but the last of equal ones without a word."""
    nodes: dict[str, list[Any]] = {}
    for key, value in root.value:
        if key.value == "accounts" and isinstance(value.value, list):
            for name, node in value.value:
                nodes.setdefault(str(name.value), []).append(node)
    return nodes


def _keys_that_stand_twice(nodes: Sequence[Any]) -> list[str]:
    """Return the keys of an entry of which reading YAML drops all but the last, too."""
    keys = Counter(str(key.value) for node in nodes if isinstance(node.value, list) for key, _ in node.value)
    return [key for key, number in keys.items() if number > 1]


def _refuse_shared_connection(account: SellerAccount, others: list[SellerAccount]) -> None:
    for other in others:
        if other.backmarket_conn_id == account.backmarket_conn_id:
            raise ValueError(f"it has the same backmarket_conn_id as {other.name}: everything would be done twice.")
