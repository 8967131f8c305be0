"""Types of the fields of data sources: paths and names."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.component import LARGEST
from netbuild.components.datasets.dataset import ONE_TARGET
from netbuild.components.fields import (
    Wants,
    either,
    many,
    optional,
    real,
    unwanted,
    whole,
    wrong_name,
    wrong_value,
)

_text = core_schema.str_schema(strict=True, min_length=1)

FilePath = Annotated[str, Wants("the path of a file", _text)]
FolderPath = Annotated[str, Wants("the path of a folder", _text)]
AnyPath = Annotated[str, Wants("the path of a file or a folder", _text)]
OptionalFile = Annotated[str | None, Wants("the path of a file", optional(_text))]
OptionalFolder = Annotated[str | None, Wants("the path of a folder", optional(_text))]
OptionalPath = Annotated[
    str | None, Wants("the path of files, where * may stand for a part", optional(_text))
]
Name = Annotated[str, Wants("a name", _text)]


def named(values: CoreSchema) -> CoreSchema:
    """Return the schema of a mapping from names to values."""
    return core_schema.dict_schema(_text, values, min_length=1, strict=True)


_columns = many(_text, at_least=1)
#: A column of text as tokens; `Tokens.read` checks its keys and its values.
_tokens = named(optional(either(_text, whole())))
_targets = either(_text, named(_text))
#: The columns of the inputs: those of one vector, or what each input of the network reads. There a
#: list is one vector.
InputColumns = Annotated[
    tuple[str, ...] | dict[str, str | tuple[str, ...] | dict[str, Any]] | None,
    Wants(
        "a list of names of columns, or a mapping from the network's inputs to columns or to "
        "{tokens: COLUMN}",
        optional(either(_columns, named(either(_text, _columns, _tokens)))),
    ),
]
#: The arrays of the inputs, in the order of the network's inputs or by their names.
InputArrays = Annotated[
    tuple[str, ...] | dict[str, str],
    Wants(
        "a list of names, one for each input of the network, or a mapping from inputs to names",
        either(_columns, named(_text)),
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
        optional(either(whole(1), named(whole(1)))),
    ),
]
_MARKS = ("boxes", "points")
#: What the only target marks in its image, or what some of several targets mark.
Marks = Annotated[
    Literal["boxes", "points"] | dict[str, str] | None,
    Wants(
        "boxes, points, or a mapping from targets to these; or null",
        optional(either(core_schema.literal_schema([*_MARKS]), named(_text))),
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
                named(
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


class Tokens(NamedTuple):
    """A column of text that is read as tokens: `{tokens: review, level: word, length: 200}`."""

    column: str
    level: Literal["character", "word"] = "word"
    length: int = 64
    #: The number of different tokens, padding and unknown among them; None for all.
    vocabulary: int | None = None

    @property
    def key(self) -> str:
        """The name under which a run keeps the vocabulary."""
        return f"{self.level}s of {self.column}, {self.vocabulary or 'all'}"

    @classmethod
    def read(cls, written: Mapping[str, Any], name: str = "inputs") -> "Tokens":
        """Return the tokens that an entry of `inputs` describes; `name` is its input.

        Raises:
            PydanticCustomError: a name or a value is wrong.
        """
        for field, value in written.items():
            if field not in _TOKENS:
                raise wrong_name((name, field), [*_TOKENS])
            phrase, fits = _TOKENS[field]
            if not fits(value):
                raise wrong_value((name, field), phrase)
        if "tokens" not in written:
            raise wrong_value((name,), "tokens, the column of text")
        return cls(written["tokens"], **{n: v for n, v in written.items() if n != "tokens"})


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= LARGEST


#: What each field of a column of tokens takes.
_TOKENS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "tokens": ("the name of a column", lambda value: isinstance(value, str)),
    "level": ("character or word", lambda value: value in {"character", "word"}),
    "length": ("a whole number of at least 1", lambda value: _is_whole(value, 1)),
    "vocabulary": (
        "a whole number of at least 3, because 0 is padding and 1 is unknown, or null",
        lambda value: value is None or _is_whole(value, 3),
    ),
}


#: The columns of one input: one column, several side by side as a vector, or tokens.
Group: TypeAlias = str | tuple[str, ...] | Tokens


def is_vector(group: Group) -> bool:
    """Whether an input reads several columns side by side."""
    return isinstance(group, tuple) and not isinstance(group, Tokens)


def width(group: Group) -> int:
    """Return how many numbers an input has for each row."""
    if isinstance(group, Tokens):
        return group.length
    return 1 if isinstance(group, str) else len(group)


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


def expect_marks(marks: Any, target: Any) -> Any:
    """Return what targets mark, if they are those of the source.

    Raises:
        PydanticCustomError: a mapping names a target that does not exist, or one is needed.
    """
    if marks is None or target is None:
        return marks
    several = isinstance(target, Mapping)
    fits = isinstance(marks, Mapping) and {*marks} <= {*target} and {*marks.values()} <= {*_MARKS}
    if several and not fits:
        raise unwanted(f"a mapping from targets, such as {{{next(iter(target))}: points}}")
    if not several and isinstance(marks, Mapping):
        raise unwanted("boxes or points, because there is one target")
    return marks


def flat(
    inputs: tuple[Group, ...] | Mapping[str, Group | dict[str, Any]] | None,
) -> tuple[str, ...]:
    """Return the names of all columns or arrays of the inputs."""
    groups = inputs.values() if isinstance(inputs, Mapping) else inputs or ()
    return tuple(name for group in groups for name in _columns_of(group))


def _columns_of(group: Group | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of an input."""
    if isinstance(group, Mapping):
        return (group["tokens"],)
    if isinstance(group, Tokens):
        return (group.column,)
    return (group,) if isinstance(group, str) else group


def grouped(inputs: Any, columns: tuple[str, ...], read: int) -> tuple[Group, ...]:
    """Return the columns of each input of the network.

    Args:
        inputs: the field with the columns.
        columns: all columns that the network reads.
        read: the number of inputs of the network.
    """
    if isinstance(inputs, Mapping):
        return tuple(Tokens.read(x) if isinstance(x, Mapping) else x for x in inputs.values())
    return columns if len(columns) == read else (columns,)
