"""Windows of series: some rows are the input, and the rows right behind them are the target."""

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.target import Classes, Signs, Target, Values
from netbuild.components.tensor import Shape, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


class Windows(NamedTuple):
    """How series are cut: the rows of an input and of a target, and the rows to the next window."""

    window: int
    horizon: int
    stride: int = 1

    @property
    def length(self) -> int:
        """The rows of an input and of its target together."""
        return self.window + self.horizon

    @property
    def gap(self) -> int:
        """The number of windows that share rows with the window behind them."""
        return -(-self.length // self.stride) - 1

    def counted(self, rows: int) -> int:
        """Return the number of windows in a series without missing rows."""
        return max(0, (rows - self.length) // self.stride + 1)


class Cut(NamedTuple):
    """The windows of a table.

    `order` has the rows of the table, series by series. `starts` has the place in `order` at which
    each window begins, and `series` the number of its series.
    """

    order: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    starts: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    series: "np.ndarray[tuple[int], np.dtype[np.int64]]"

    def rows(self, begin: int, count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
        """Return the rows of each window from a place within it, (windows, count)."""
        import numpy as np

        places = self.starts[:, None] + np.arange(begin, begin + count)
        found: np.ndarray[tuple[int, int], np.dtype[np.int64]] = self.order[places]
        return found


def cut(series: "Sequence[str]", left: "Sequence[int] | None", how: Windows) -> Cut:
    """Cut the rows of a table into windows. The last window of each series ends with its last row.

    Args:
        series: the name of the series of each row.
        left: the rows that lack no value; None for all. A window with another row is left out.
        how: how the series are cut.
    """
    import numpy as np

    numbers, _ = numbered(series)
    order = numbers.argsort(kind="stable")
    own = numbers[order]
    begins = np.flatnonzero(np.diff(own, prepend=-1))
    ends = np.append(begins[1:], len(own))[own] if len(own) else own
    starts = np.arange(len(own))
    fits = (ends - starts >= how.length) & ((ends - starts - how.length) % how.stride == 0)
    if left is not None:
        lacks = np.ones(len(own), bool)
        lacks[np.asarray(left)] = False
        before = np.append(0, lacks[order].cumsum())  # the rows that lack a value before each place
        behind = np.minimum(starts + how.length, len(own))
        fits &= before[behind] == before[starts]
    starts = np.flatnonzero(fits)
    return Cut(order, starts, own[starts])


@cache
def can_cut() -> bool:
    """Whether numpy is there. Without it, a check knows neither windows nor their number."""
    return find_spec("numpy") is not None


def numbered(
    series: "Sequence[str]",
) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[str]]":
    """Return the number of the series of each row, and the names in the order of their numbers."""
    import numpy as np

    names = list(dict.fromkeys(series))
    known = {name: number for number, name in enumerate(names)}
    return np.array([known[name] for name in series], "int64"), names


def of_rows(wanted: Target) -> Target:
    """Return the target of a row, given the target of a window that a loss wants."""
    return wanted._replace(shape=()) if isinstance(wanted, Values | Classes | Signs) else wanted


def of_windows(row: Target, wanted: Target, horizon: int) -> Target:
    """Return the target of a window, given that of a row and that which a loss wants.

    It is (horizon). A single row may also be a single number, and an axis of 1 may follow.
    """
    if not isinstance(row, Values | Classes | Signs):
        return row
    return row._replace(shape=shape_of(wanted.tensor.shape, horizon))


def shape_of(wanted: Shape, horizon: int) -> Shape:
    """Return the shape of a window's target that comes closest to a wanted one."""
    return wanted if wanted == (horizon, 1) or (horizon == 1 and wanted == ()) else (horizon,)


def over_rows(x: Tensor) -> Tensor:
    """Return the tensor of a row, given the input of a network: it lacks the axis of time."""
    return Tensor(x.shape[1:], x.dtype)
