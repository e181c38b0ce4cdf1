"""How the page writes what people read."""

from __future__ import annotations

from backmarket.page.formats import breakable


def test_a_path_may_break_between_its_words_and_nothing_else_changes() -> None:
    """After a slash and an underscore of a path; other words stay whole, and no markup comes in."""
    assert breakable("s3://shop/in_box/<b>.csv: seller.stock some_word and/or") == (
        "s3:/<wbr>/<wbr>shop/<wbr>in_<wbr>box/&lt;b&gt;.csv: seller.stock some_word and/or"
    ).replace("s3:/<wbr>/<wbr>", "s3://<wbr>")
