"""Types of the fields of data sources: paths and names."""

from collections.abc import Mapping
from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import Wants, many, optional

_text = core_schema.str_schema(strict=True, min_length=1)

FilePath = Annotated[str, Wants("the path of a file", _text)]
FolderPath = Annotated[str, Wants("the path of a folder", _text)]
AnyPath = Annotated[str, Wants("the path of a file or a folder", _text)]
OptionalPath = Annotated[
    str | None, Wants("the path of files, where * may stand for a part", optional(_text))
]
Name = Annotated[str, Wants("a name", _text)]
ColumnNames = Annotated[
    tuple[str, ...] | None,
    Wants("a list of names of columns", optional(many(_text, at_least=1))),
]


def by_name(target: str | Mapping[str, str]) -> Mapping[str, str]:
    """Return what holds each target, by the target's name."""
    return {"target": target} if isinstance(target, str) else target
