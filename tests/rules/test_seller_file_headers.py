"""Which column of a file is which: by name, by other words for it in several languages, by what the seller says."""

from __future__ import annotations

import pytest

from backmarket.rules.seller_files.headers import HeaderError, find_header, plain

STOCK = ("account", "sku", "quantity", "counted_at", "warehouse")
NEEDED = ("sku", "quantity")
DEVICES = ("account", "order_id", "imei")


@pytest.mark.parametrize(
    ("header", "places"),
    [
        (["sku", "quantity"], {"sku": 0, "quantity": 1}),
        (["", " Quantité ", "Référence"], {"sku": 2, "quantity": 1}),
        (["MENGE", "Artikel-Nr.", "Gezählt am"], {"sku": 1, "quantity": 0, "counted_at": 2}),
        (["units_on-hand?", "qty", "SKU"], {"sku": 2, "quantity": 1}),
        # Its own name goes before another word for it.
        (["sku", "stock", "quantity"], {"sku": 0, "quantity": 2}),
        # Two words for one column, of which one can be another.
        (["sku", "Bestand", "Lager"], {"sku": 0, "quantity": 1, "warehouse": 2}),
    ],
)
def test_a_column_is_known_by_its_name_and_by_other_words(header: list[str], places: dict[str, int]) -> None:
    """Whatever their case, blanks, signs and accents."""
    found = find_header([header, ["A", "1"]], STOCK, NEEDED)
    assert found.places == places
    assert (found.row, found.width, found.constants) == (0, len(header), {})


def test_what_is_no_column_is_told() -> None:
    """Blank cells are none."""
    found = find_header([["sku", "quantity", " Colour ", " "]], STOCK, NEEDED)
    assert found.unknown == ("Colour",)


def test_titles_and_blank_rows_may_stand_above() -> None:
    """The first row that names all that is needed, among the first thirty."""
    rows = [["Stock of today"], [], ["sku"], *[[""]] * 26, ["sku", "quantity"]]
    assert find_header(rows, STOCK, NEEDED).row == 29
    with pytest.raises(HeaderError, match="it has no column quantity"):
        find_header([[], *rows], STOCK, NEEDED)


def test_the_seller_says_what_a_header_means() -> None:
    """Before any word that is known; a value for all rows where no header says it."""
    mapping = {"Qty": "warehouse", "On shelf": "quantity", "=Paris": "warehouse", "=2026-01-01": "counted_at"}
    found = find_header([["sku", "qty", "on  shelf"]], STOCK, NEEDED, mapping)
    assert found.places == {"sku": 0, "warehouse": 1, "quantity": 2}
    assert found.constants == {"counted_at": "2026-01-01"}
    assert find_header([["quantity"]], STOCK, NEEDED, {"=A": "sku"}).constants == {"sku": "A"}


def test_a_slip_in_the_mapping_is_named() -> None:
    """With what there is; an empty mapping is none."""
    with pytest.raises(HeaderError) as caught:
        find_header([["sku", "quantity"]], STOCK, NEEDED, {"Menge": "quantitty", "=x": "sku", "y": "depot"})
    assert str(caught.value) == (
        "Variable backmarket_seller_columns names depot, quantitty, which is no column of this table. There are "
        "account, sku, quantity, counted_at, warehouse"
    )
    assert find_header([["sku", "quantity"]], STOCK, NEEDED, {}).row == 0


def test_a_missing_column_refuses_with_both_lists() -> None:
    """Of the row that names most; a constant is not missing."""
    with pytest.raises(HeaderError) as caught:
        find_header([["x", "y"], [" sku ", "colour", ""]], STOCK, (*NEEDED, "warehouse"), {"=P": "warehouse"})
    assert str(caught.value) == (
        "it has no column quantity. Its columns are sku, colour; needed are sku, quantity, warehouse. Rename them, or "
        "say in Variable backmarket_seller_columns which is which"
    )
    with pytest.raises(HeaderError, match=r"it has no column sku, quantity\. Its columns are none; needed"):
        find_header([], STOCK, NEEDED)


def test_what_may_be_a_persons_is_not_shown() -> None:
    """A file about orders that has no header begins with somebody's order; one about stock with a SKU."""
    row = ["Jane Doe", "12 rue de la Paix"]
    with pytest.raises(HeaderError, match="Its columns are 2 that are not known and not shown here; needed") as caught:
        find_header([row], DEVICES, ("order_id",))
    assert "Jane" not in str(caught.value)
    with pytest.raises(HeaderError, match="Its columns are imei, Jane Doe;"):
        find_header([["imei", "Jane Doe"]], DEVICES, ("order_id",))
    with pytest.raises(HeaderError, match="Its columns are first, 7;"):
        find_header([["first", "7"], ["second", "8"]], STOCK, NEEDED)
    with pytest.raises(HeaderError, match="Its columns are A-1, 7;"):
        find_header([["A-1", "7"]], STOCK, NEEDED)


def test_of_two_that_can_be_one_column_none_is_guessed() -> None:
    """Unless the seller says it."""
    with pytest.raises(HeaderError) as caught:
        find_header([["sku", " qty", "Menge"]], STOCK, NEEDED)
    assert str(caught.value) == (
        "both 'qty' and 'Menge' can be quantity. Rename one, or say in Variable backmarket_seller_columns which is it"
    )
    found = find_header([["sku", "qty", "Menge"]], STOCK, NEEDED, {"menge": "quantity"})
    assert (found.places["quantity"], found.unknown) == (2, ("qty",))


def test_headers_are_compared_by_letters_and_digits() -> None:
    """Without case and accents."""
    assert [plain(name) for name in (" IMEI-1 ", "Größe", "ÉTAT", "№", "__")] == ["imei1", "grosse", "etat", "no", ""]
