"""What a run keeps of a table: the categories, the numbers for missing values, and the classes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.fields import Group


class Kept(NamedTuple):
    """What the rows of a table have told.

    `inputs` are the columns of each input of the network. `categories` has the categories of a
    column in the order of their numbers; one that the training samples lack is None. `missing` has
    the number that stands for a missing value, and `classes` the classes of a target.
    """

    inputs: tuple[Group, ...]
    categories: Mapping[str, Sequence[Any]]
    missing: Mapping[str, float]
    classes: Mapping[str, Sequence[Any]]

    def as_json(self) -> dict[str, Any]:
        """Return the values of JSON."""
        return {
            "inputs": [x if isinstance(x, str) else [*x] for x in self.inputs],
            "categories": {name: [*values] for name, values in self.categories.items()},
            "missing": dict(self.missing),
            "classes": {name: [*values] for name, values in self.classes.items()},
        }


def read_kept(values: Mapping[str, Any]) -> Kept:
    """Return what a run has kept, from values of JSON.

    Raises:
        DataError: these are other values.
    """
    inputs, *others = (values.get(name) for name in Kept._fields)
    categories, missing, classes = others
    right = (
        isinstance(inputs, list)
        and all(isinstance(x, str) or _is_list(x, str) for x in inputs)
        and isinstance(categories, dict)
        and all(_is_list(x, str | int | float | None) for x in categories.values())
        and isinstance(missing, dict)
        and all(isinstance(x, int | float) for x in missing.values())
        and isinstance(classes, dict)
        and all(_is_list(x, str | int | float) for x in classes.values())
    )
    if not right:
        raise DataError("what the run has kept of its table was changed")
    groups = tuple(x if isinstance(x, str) else tuple(x) for x in inputs or ())
    return Kept(groups, categories or {}, missing or {}, classes or {})


def _is_list(value: Any, of: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, of) for x in value)
