"""Types of the fields of data sources: paths and names."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.datasets.dataset import ONE_TARGET
from netbuild.components.fields import Wants, either, many, optional, real, unwanted, whole

_text = core_schema.str_schema(strict=True, min_length=1)

FilePath = Annotated[str, Wants("the path of a file", _text)]
FolderPath = Annotated[str, Wants("the path of a folder", _text)]
AnyPath = Annotated[str, Wants("the path of a file or a folder", _text)]
OptionalPath = Annotated[
    str | None, Wants("the path of files, where * may stand for a part", optional(_text))
]
Name = Annotated[str, Wants("a name", _text)]


def _named(values: CoreSchema) -> CoreSchema:
    """Return the schema of a mapping from names to values."""
    return core_schema.dict_schema(_text, values, min_length=1, strict=True)


_columns = many(_text, at_least=1)
_targets = either(_text, _named(_text))
#: The columns of the inputs: those of one vector, or what each input of the network reads. There a
#: list is one vector.
InputColumns = Annotated[
    tuple[str, ...] | dict[str, str | tuple[str, ...]] | None,
    Wants(
        "a list of names of columns, or a mapping from the network's inputs to columns",
        optional(either(_columns, _named(either(_text, _columns)))),
    ),
]
#: The arrays of the inputs, in the order of the network's inputs or by their names.
InputArrays = Annotated[
    tuple[str, ...] | dict[str, str],
    Wants(
        "a list of names, one for each input of the network, or a mapping from inputs to names",
        either(_columns, _named(_text)),
    ),
]
#: What holds the target, or what holds each of several targets.
TargetNames = Annotated[
    str | dict[str, str], Wants("a name, or a mapping from targets to names", _targets)
]
OptionalTargetNames = Annotated[
    str | dict[str, str] | None,
    Wants("a name, a mapping from targets to names, or null", optional(_targets)),
]
#: The number of classes of the only target, or of some of several targets.
ClassCounts = Annotated[
    int | dict[str, int] | None,
    Wants(
        "a whole number of at least 1, or a mapping from targets to such numbers",
        optional(either(whole(1), _named(whole(1)))),
    ),
]
#: What stands for missing values, by column, or `drop` for all columns.
Missing = Annotated[
    str | dict[str, str | float] | None,
    Wants(
        "drop, or a mapping from columns to mean, median, unknown, drop or a number",
        optional(
            either(
                core_schema.literal_schema(["drop"]),
                _named(
                    either(
                        real(), core_schema.literal_schema(["mean", "median", "unknown", "drop"])
                    )
                ),
            )
        ),
    ),
]
#: The names of some columns.
ColumnNames = Annotated[tuple[str, ...], Wants("a list of names of columns", many(_text))]
#: Some texts.
Texts = Annotated[
    tuple[str, ...], Wants("a list of texts", many(core_schema.str_schema(strict=True)))
]
#: The columns of one input: one column, or several side by side as a vector.
Group: TypeAlias = str | tuple[str, ...]


def by_name(target: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return what holds each target, by the target's name; nothing for None."""
    if target is None:
        return {}
    return {ONE_TARGET[0]: target} if isinstance(target, str) else dict(target)


def count_of(classes: int | Mapping[str, int] | None, target: str) -> int | None:
    """Return the number of classes that is written for a target; None without one."""
    return classes.get(target) if isinstance(classes, Mapping) else classes


def expect_counts(classes: Any, target: Any) -> Any:
    """Return numbers of classes, if they are those of the targets.

    Raises:
        PydanticCustomError: a number belongs to no target, or it is not said to which one.
    """
    if classes is None or target is None:
        return classes
    several = isinstance(target, Mapping)
    if several and not (isinstance(classes, Mapping) and {*classes} <= {*target}):
        first = next(iter(target))
        raise unwanted(f"a mapping from targets to numbers, such as {{{first}: 2}}")
    if not several and isinstance(classes, Mapping):
        raise unwanted("a whole number of at least 1, because there is one target")
    return classes


def flat(inputs: tuple[Group, ...] | Mapping[str, Group] | None) -> tuple[str, ...]:
    """Return the names of all columns or arrays of the inputs."""
    groups = inputs.values() if isinstance(inputs, Mapping) else inputs or ()
    columns = ((group,) if isinstance(group, str) else group for group in groups)
    return tuple(name for group in columns for name in group)


def grouped(inputs: Any, columns: tuple[str, ...], read: int) -> tuple[Group, ...]:
    """Return the columns of each input of the network.

    Args:
        inputs: the field with the columns.
        columns: all columns that the network reads.
        read: the number of inputs of the network.
    """
    if isinstance(inputs, Mapping):
        return tuple(inputs.values())
    return columns if len(columns) == read else (columns,)
