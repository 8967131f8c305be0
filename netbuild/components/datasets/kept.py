"""What a run keeps of a table: the categories, the numbers for missing values, and the classes."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.fields import Group, Tokens, flat
from netbuild.components.datasets.token_column import without_unseen

if TYPE_CHECKING:
    import numpy as np


class Kept(NamedTuple):
    """What the rows of a table have told.

    `inputs` are the columns of each input of the network. `categories` has the categories of a
    column in the order of their numbers; one that the training samples lack is None. `missing` has
    the number that stands for a missing value, and `classes` the classes of a target. `tokens` has
    the tokens of a column in the order of their numbers; None for one that training lacks.
    """

    inputs: tuple[Group, ...]
    categories: Mapping[str, Sequence[Any]]
    missing: Mapping[str, float]
    classes: Mapping[str, Sequence[Any]]
    tokens: Mapping[str, Sequence[str | None]] = MappingProxyType({})

    def as_json(self) -> dict[str, Any]:
        """Return the values of JSON."""
        return {
            "inputs": [_written(x) for x in self.inputs],
            "categories": {name: [*values] for name, values in self.categories.items()},
            "missing": dict(self.missing),
            "classes": {name: [*values] for name, values in self.classes.items()},
            "tokens": {name: [*values] for name, values in self.tokens.items()},
        }


def _written(group: Group) -> Any:
    """Return the columns of an input as values of JSON."""
    if isinstance(group, Tokens):
        return {"tokens": group.column, **dict(zip(group._fields[1:], group[1:], strict=True))}
    return group if isinstance(group, str) else [*group]


def read_kept(values: Mapping[str, Any]) -> Kept:
    """Return what a run has kept, from values of JSON.

    Raises:
        DataError: these are other values.
    """
    inputs, *others = (values.get(name) for name in Kept._fields)
    categories, missing, classes, tokens = others
    tokens = {} if tokens is None else tokens
    right = (
        isinstance(inputs, list)
        and all(isinstance(x, str | dict) or _is_list(x, str) for x in inputs)
        and isinstance(categories, dict)
        and all(_is_list(x, str | int | float | None) for x in categories.values())
        and isinstance(missing, dict)
        and all(isinstance(x, int | float) for x in missing.values())
        and isinstance(classes, dict)
        and all(_is_list(x, str | int | float) for x in classes.values())
        and isinstance(tokens, dict)
        and all(_is_list(x, str | None) for x in tokens.values())
    )
    if not right:
        raise DataError("what the run has kept of its table was changed")
    groups = tuple(map(_group, inputs or ()))
    if any(isinstance(x, Tokens) and x.key not in tokens for x in groups):
        raise DataError("the run has kept no tokens of its columns of text")
    return Kept(groups, categories or {}, missing or {}, classes or {}, tokens or {})


def _group(read: str | list[str] | dict[str, Any]) -> Group:
    """Return the columns of an input.

    Raises:
        DataError: these are no tokens.
    """
    if not isinstance(read, dict):
        return read if isinstance(read, str) else tuple(read)
    try:
        return Tokens.read(read)
    except ValueError as error:
        raise DataError("what the run has kept of its table was changed") from error


def _is_list(value: Any, of: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, of) for x in value)


def fits(array: "np.ndarray[Any, Any]", group: Group) -> bool:
    """Whether an input has the columns of a group, in each row of its windows."""
    return isinstance(group, Tokens) or math.prod(array.shape[1:]) % len(flat((group,))) == 0


def filled_input(array: "np.ndarray[Any, Any]", group: Group, kept: Kept) -> "np.ndarray[Any, Any]":
    """Return an input with its missing values filled, and with 0 for unknown categories."""
    import numpy as np

    if isinstance(group, Tokens):
        return without_unseen(array, kept.tokens[group.key])
    names = flat((group,))
    columns = array.reshape(-1, len(names))  # the rows of windows count as rows
    for number, name in enumerate(names):
        if name in kept.categories and isinstance(group, str):  # in a vector it is a number
            known = [0, *(0 if v is None else n for n, v in enumerate(kept.categories[name], 1))]
            columns = np.array(known, "int64")[columns]
        elif name in kept.missing:
            gaps = np.isnan(columns[:, number])
            columns = columns.copy() if gaps.any() else columns
            columns[gaps, number] = kept.missing[name]
    return np.require(columns.reshape(array.shape), requirements=["C", "W"])
