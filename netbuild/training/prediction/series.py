"""Series as inputs of a network of windows: it tells the rows behind each series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.windows import numbered
from netbuild.diagnostics.exceptions import InputError
from netbuild.training.prediction.inputs import InputSample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.components.datasets.windowed import WindowedSource
    from netbuild.training.prediction.trained_table import TrainedTable


def last_windows(
    table: TrainedTable, source: WindowedSource, place: dict[str, Any]
) -> Iterator[InputSample | InputError]:
    """Yield the last window of each series of a table, or the reason why it has none.

    Raises:
        DataError: the rows are not in order.
    """
    assert source.window is not None
    names = [""] * len(table.lines)
    if source.series is not None:
        names = [str(cell) for cell in table.column(source.series).cells]
    numbers, series = numbered(names)
    if source.order is not None:
        source.check_order(table.column(source.order), numbers.tolist(), series)
    read = {row: number for number, row in enumerate(table.rows)}
    found: list[InputSample | InputError] = []
    for number, name in enumerate(series):
        rows = (numbers == number).nonzero()[0][-source.window :].tolist()
        lacking = next((table.left_out[row] for row in rows if row in table.left_out), None)
        called = f"the series {name}" if source.series else "the series"
        if len(rows) < source.window:
            count = f"{len(rows)} row{'s'[: len(rows) != 1]}"
            said = f"{called} has {count}, and the network reads {source.window}"
            found.append(InputError(f"{table.path}: {said}"))
        elif lacking is not None:
            found.append(InputError(f"{table.path}: {lacking}, in the last window of {called}"))
        else:
            own = [read[row] for row in rows]
            at = place | ({"series": name} if source.series else {})
            found.append(InputSample(at, tuple(x[own] for x in table.inputs)))
    return iter(found)


def by_step(
    told: dict[str, Any], horizon: int, names: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield a prediction for each row behind a window, numbered from 1, given that for all rows."""
    for step in range(horizon):
        found: dict[str, Any] = {"step": step + 1}
        for name, value in told.items():
            if isinstance(value, dict):
                found[name] = {n: _at(y, step, horizon) for n, y in value.items()}
            else:
                found[name] = _at(value, step, horizon)
        if names and "class" in found and "name" not in found:
            found["name"] = names[int(found["class"])]
        places = [name for name in ("input", "index", "series", "step") if name in found]
        others = ("class", "name")
        order = [*places, *(name for name in others if name in found)]
        yield {name: found[name] for name in dict.fromkeys([*order, *found])}


def _at(value: Any, step: int, horizon: int) -> Any:
    """Return what a value tells of a step; a value without an axis of steps, as it is."""
    if getattr(value, "ndim", 0) and len(value) == horizon:
        return value[step]
    return value
