"""A test over a table fails with every row that fails."""

from __future__ import annotations

import pytest

from tests.tables import hold, over


def test_every_row_that_fails_is_named() -> None:
    """The other rows are tried after a failure, whose traceback stands before the names."""

    def below_three(row: int) -> None:
        if row == 0:
            pytest.skip("nothing to try")
        if row == 5:
            pytest.fail("five")
        if row >= 3:
            raise ValueError(f"{row} is large\nby far")

    hold(below_three, range(3))
    with pytest.raises(AssertionError) as raised:
        hold(below_three, range(6), "row {}".format)
    assert str(raised.value).splitlines() == [
        "3 of 6 rows fail",
        "row 3: ValueError: 3 is large",
        "row 4: ValueError: 4 is large",
        "row 5: Failed: five",
    ]
    assert str(raised.value.__cause__).startswith("3 is large")
    with pytest.raises(AssertionError, match="the table has no rows"):
        hold(below_three, [])


def test_a_test_over_a_table() -> None:
    """It has the name and the docstring of the test of a row, and takes nothing."""

    @over([1, 2])
    def test_even(row: int) -> None:
        """A row is even."""
        assert row % 2 == 0

    assert (test_even.__name__, test_even.__doc__) == ("test_even", "A row is even.")
    with pytest.raises(AssertionError, match="1 of 2 rows fail"):
        test_even()
