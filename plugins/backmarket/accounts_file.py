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
    except (OSError, ValueError, yaml.YAMLError) as error:
        return [], [f"{file.name} cannot be read: {' '.join(str(error).split())}"]
    entries = content.get("accounts") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        return [], [f"{file.name} lists no accounts. It needs a key accounts: with a name for each account below it."]
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    problems = []
    if "accounts" in _repeated(root):
        problems.append(f"{file.name} has the key accounts: twice, and none above the last counts: list all below one.")
    listed = dict(_pairs(root)).get("accounts")
    accounts: list[SellerAccount] = []
    for name, entry in entries.items():
        try:
            _refuse_repetition(name, listed)
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


def _refuse_repetition(name: Any, listed: Any) -> None:
    """Refuse an entry whose name, or a key of which, stands there twice: reading YAML keeps the last without a word."""
    what = ["its name"] if str(name) in _repeated(listed) else _repeated(dict(_pairs(listed)).get(str(name)))
    if what:
        raise ValueError(f"{what[0]} stands there twice: which of the two is meant is not guessed.")


def _repeated(node: Any) -> list[str]:
    return [key for key, times in Counter(key for key, _ in _pairs(node)).items() if times > 1]


def _pairs(node: Any) -> list[tuple[str, Any]]:
    """Return what stands below a node of YAML, each with its key; nothing below what is no mapping."""
    from yaml import MappingNode

    pairs = node.value if isinstance(node, MappingNode) else []
    return [(str(key.value), value) for key, value in pairs]


def _refuse_shared_connection(account: SellerAccount, others: list[SellerAccount]) -> None:
    for other in others:
        if other.backmarket_conn_id == account.backmarket_conn_id:
            raise ValueError(f"it has the same backmarket_conn_id as {other.name}: everything would be done twice.")
