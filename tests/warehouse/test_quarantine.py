"""What is kept in quarantine is found again, however long its name is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from backmarket.api.models import Unreadable
from backmarket.warehouse import after_sales, backbox, quarantine
from backmarket.warehouse.quarantine import key_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import psycopg

    Database = psycopg.Connection[Any]

LISTING, OTHER = "6d4ad966-db97-4d88-b409-b28cc2a0f8c9", "7a97a1b6-547e-4718-bc72-5b84aca91b09"
LONG = "x" * 500


def keep(database: Database, entity: str, keys: Collection[str]) -> None:
    """Keep documents of one entity."""
    quarantine.keep(database, "default", entity, {key: Unreadable({"key": key}, "odd", key) for key in keys})


def kept(database: Database) -> list[str]:
    """The keys of all that is kept."""
    return [key for (key,) in database.execute("select key from backmarket.quarantine order by 1")]


def test_a_long_key_is_its_own_and_says_whose_part_it_is() -> None:
    """Names that differ at their end are two; one without an owner, or with one of endless length, has none."""
    keys = {name: key_of(name) for name in (f"7/{LONG}1", f"7/{LONG}2", LONG, f"{LONG}/7", "7/a", "7")}
    assert len(set(keys.values())) == len(keys)
    assert max(map(len, keys.values())) <= 200
    assert [key.partition("/")[0] for key in keys.values()][:2] == ["7", "7"]
    assert [key.startswith("sha256:") for key in keys.values()] == [False, False, True, True, False, False]
    assert keys["7/a"] == "7/a"


def test_parts_with_long_names_leave_with_what_they_are_parts_of(warehouse: Database) -> None:
    """A folder that is understood takes its messages along, and no other folder's."""
    keep(warehouse, "care_folder", [f"7/{LONG}", f"77/{LONG}", "7"])
    after_sales.release(warehouse, "default", "care_folder", ["7"])
    assert kept(warehouse) == [key_of(f"77/{LONG}")]


def test_a_market_with_a_long_name_leaves_once_its_listing_is_understood(warehouse: Database) -> None:
    """It stays as long as the newest answer sets it apart, and then goes."""
    keys = [f"{LISTING}/{LONG}", f"{OTHER}/{LONG}"]
    keep(warehouse, backbox.ENTITY, keys)
    backbox.release(warehouse, "default", UUID(LISTING), kept=keys[:1])
    assert kept(warehouse) == sorted(map(key_of, keys))
    backbox.release(warehouse, "default", UUID(LISTING), kept=[])
    assert kept(warehouse) == [key_of(keys[1])]
