"""Plain-text tables."""

from __future__ import annotations

from edgevid.tables import table


def test_words_stand_left_and_numbers_right() -> None:
    assert (
        table([("name", "count", "note"), ("a", 5, "x"), ("long", 12.5, "yy")])
        == "name   count  note\na          5  x\nlong  12.500  yy"
    )


def test_what_is_unknown_is_a_dash_in_a_column_of_numbers() -> None:
    assert table([("name", "ms"), ("a", None), ("b", 1)], indent="  ") == "  name  ms\n  a      -\n  b      1"


def test_a_number_too_small_for_three_decimals_is_not_shown_as_nothing() -> None:
    assert table([("e",), (3.2e-8,), (0.0,), (-0.25,)]) == "      e\n3.2e-08\n  0.000\n -0.250"
