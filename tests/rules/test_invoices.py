"""Which order a file is for, and what is no invoice: one must never reach another customer."""

from __future__ import annotations

import pytest

from backmarket.rules.invoices import MOST_BYTES, InvoiceError, check_content, check_size, order_id_in

DEFAULT = "*{order_id}.pdf"


@pytest.mark.parametrize(
    ("name", "pattern", "order_id"),
    [
        ("50000123.pdf", DEFAULT, 50000123),
        ("50000123.PDF", DEFAULT, 50000123),
        ("invoice-50000123.pdf", DEFAULT, 50000123),
        ("2026-11-26_50000123.pdf", DEFAULT, 50000123),
        ("bill_50000123_v2.pdf", "bill_{order_id}_*.pdf", 50000123),
        ("R[1] 50000123.pdf", "R[1] {order_id}.pdf", 50000123),
        ("50000123-50000123.pdf", "{order_id}*.pdf", 50000123),
    ],
)
def test_the_number_stands_where_the_pattern_says(name: str, pattern: str, order_id: int) -> None:
    """All of its digits, whatever stands around them."""
    assert order_id_in(name, pattern) == order_id


@pytest.mark.parametrize(
    ("name", "pattern", "says"),
    [
        ("readme.pdf", DEFAULT, "is not like"),
        ("50000123.pdf.bak", DEFAULT, "is not like"),
        ("50000123_old.pdf", DEFAULT, "is not like"),
        ("007.pdf", "{order_id}.pdf", "is not like"),
        ("x50000123.pdf", "{order_id}.pdf", "is not like"),
        ("0050000123.pdf", "00{order_id}.pdf", "is not like"),
        ("2026-11-26_50000123.pdf", "*{order_id}*.pdf", "fits *{order_id}*.pdf with 4 numbers"),
    ],
)
def test_a_name_that_is_not_sure_is_refused(name: str, pattern: str, says: str) -> None:
    """Of several numbers none is guessed; the file's name may be personal, so no message repeats it."""
    with pytest.raises(InvoiceError) as error:
        order_id_in(name, pattern)
    assert says in str(error.value)
    assert name.removesuffix(".pdf") not in str(error.value)


def test_what_is_no_invoice_is_refused() -> None:
    """By its size, and by how it begins."""
    check_size(MOST_BYTES)
    check_content(b"%PDF-1.7")
    with pytest.raises(InvoiceError, match=r"has 10,485,761 bytes; at most 10,485,760"):
        check_size(MOST_BYTES + 1)
    with pytest.raises(InvoiceError, match="empty"):
        check_size(0)
    with pytest.raises(InvoiceError, match="no PDF"):
        check_content(b"PK\x03\x04")
