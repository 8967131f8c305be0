"""The columns of a table that are inputs and targets."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.fields import Group, flat


class Columns(NamedTuple):
    """The columns to read from a table, with their features.

    `groups` has what each input of the network reads: a column, or several columns side by side.
    `targets` has the column of each target.
    """

    features: Mapping[str, Any]
    groups: tuple[Group, ...]
    targets: Mapping[str, str]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that the network reads."""
        return flat(self.groups)

    @property
    def images(self) -> set[str]:
        """The columns of pictures."""
        return {name for name in self.features if _kind(self.features[name]) == "Image"}

    def names(self, target: str) -> tuple[str, ...] | None:
        """Return the names of the classes of a target, if the table has names."""
        return getattr(self.features[self.targets[target]], "names", None)

    @property
    def texts(self) -> set[str]:
        """The columns of text."""
        return {n for n, f in self.features.items() if "string" in str(getattr(f, "dtype", ""))}


def choose(
    features: Mapping[str, Any], inputs: tuple[str, ...] | None, targets: Mapping[str, str | None]
) -> Columns:
    """Return the named columns, or the only possible columns.

    Raises:
        DataError: a column does not exist, or several columns are possible.
    """
    known = f"its columns are {', '.join(features)}"
    for field, names in (("inputs", inputs or ()), ("target", filter(None, targets.values()))):
        for name in names:
            if name not in features:
                raise DataError(f"there is no column {name}", field, known)
    columns = Columns(features, (), {})
    told = {name: column or _only_classes(features, known) for name, column in targets.items()}
    if inputs is None:
        others = [name for name in features if name not in told.values()]
        pictures = [name for name in others if name in columns.images]
        inputs = tuple(pictures[:1] or others)
        if len(pictures) > 1 or not inputs:
            raise DataError("inputs must name its columns", "inputs", known)
    read = dict.fromkeys((*inputs, *told.values()))
    return Columns({name: features[name] for name in read}, inputs, told)


def _only_classes(features: Mapping[str, Any], known: str) -> str:
    """Return the only column of classes, or the column `label`.

    Raises:
        DataError: there are several such columns, or none.
    """
    named = [name for name, feature in features.items() if _kind(feature) == "ClassLabel"]
    found = named or [name for name in features if name == "label"]
    if len(found) != 1:
        raise DataError("target must name a column", "target", known)
    return found[0]


def _kind(feature: Any) -> str:
    return type(feature).__name__


def labels_of(values: Sequence[Any]) -> list[Any]:
    """Return the names of classes, in the order of their numbers."""
    return sorted({value for value in values if value is not None})
