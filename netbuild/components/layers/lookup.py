"""What a layer finds by the numbers of an input: rows of a table, places of an axis, ends."""

from typing import NamedTuple


class Lookup(NamedTuple):
    """The numbers that one input of a layer may have.

    With other numbers torch stops in some batch; on a GPU it stops without the name of a layer.
    """

    #: The number of the input, and its least and largest value.
    source: int
    least: int
    most: int
    #: What there is for these numbers, such as "it has rows for 0 to 4".
    has: str
    #: The field or the modifier that says so.
    field: str
    #: What one of the numbers is, with an article.
    what: str = "an index"
