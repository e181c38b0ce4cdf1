"""What an API sends, in a form that PostgreSQL keeps."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backmarket.warehouse.jsonb import clean, dump

if TYPE_CHECKING:
    import psycopg

anything = st.text(alphabet=st.characters(codec=None))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_any_text_becomes_encodable_and_nul_free(text: str) -> None:
    """No text can break a COPY; text that was fine stays itself."""
    cleaned = clean(text)
    assert cleaned is not None
    assert "\0" not in cleaned
    cleaned.encode()
    if "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text):
        assert cleaned == text


@given(documents)
def test_any_document_becomes_json_that_can_be_encoded(document: Any) -> None:
    """Dumping never fails, and leaves no escape that jsonb refuses."""
    text = dump(document)
    text.encode()
    json.loads(text)


@pytest.mark.parametrize("depth", [490, 900, 5_000])
def test_a_document_is_written_however_deep_it_is(warehouse: psycopg.Connection[Any], depth: int) -> None:
    """What stands above the depth that can be written is kept, and what PostgreSQL refuses is replaced there."""
    deep: Any = "a\0b"
    for level in range(depth):
        deep = [deep] if level % 2 else {"deeper": deep}
    ((kept,),) = warehouse.execute("select %s::jsonb", [dump({"nul": "a\0b", "deep": deep})]).fetchall()
    assert kept["nul"] == "a\ufffdb"
    levels, inner = 0, kept["deep"]
    while isinstance(inner, list | dict):
        levels, inner = levels + 1, inner["deeper"] if isinstance(inner, dict) else inner[0]
    assert (levels, inner) == ((490, "a\ufffdb") if depth == 490 else (499, "…"))


def test_postgres_takes_the_worst(warehouse: psycopg.Connection[Any]) -> None:
    """NUL, a lone surrogate and a literal backslash-u0000 arrive; a fraction keeps every digit."""
    document = {"nul": "a\0b", "half": "\ud83d", "escaped": "\\u0000", "amount": Decimal("0.10")}
    row = warehouse.execute("select %s::jsonb", [dump(document)]).fetchone()
    assert row is not None
    assert row[0] == {"nul": "a\ufffdb", "half": "\ufffd", "escaped": "\\u0000", "amount": "0.10"}
