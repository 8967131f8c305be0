"""Values of Python as the text of a config: a mapping of sections, or a setting as in `--set`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.syntax.dump import dump, dump_line

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Found

#: The most characters of a path in a message.
_LONGEST = 80


class _UnfitError(Exception):
    """A value that a config cannot hold, and its path."""

    def __init__(self, path: str, value: Any) -> None:
        self.path, self.value = path, value


def as_text(sections: Mapping[str, Any]) -> Found[str]:
    """Return a mapping of sections as YAML; an empty text after a fault."""
    try:
        return dump(_plain(sections, "")), ()
    except _UnfitError as error:
        return "", (_fault(error, "<mapping>"),)


def as_setting(path: str, value: Any) -> Found[str]:
    """Return a value and its path as a setting, `path=value`; an empty text after a fault."""
    try:
        return f"{path}={dump_line(_plain(value, path))}", ()
    except _UnfitError as error:
        return "", (_fault(error, "--set"),)


def _plain(value: Any, path: str) -> Any:
    """Return a value in the types of YAML. Numbers of numpy become those of Python."""
    if value is None or isinstance(value, bool):
        return value
    # An enumeration's values, and numpy's float64, derive from these types.
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(part, _below(path, name)) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(part, _below(path, number)) for number, part in enumerate(value)]
    if hasattr(value, "tolist") and not hasattr(value, "requires_grad"):  # of numpy
        return _plain(value.tolist(), path)
    raise _UnfitError(path, value)


def _below(path: str, step: object) -> str:
    return f"{path}.{step}" if path else str(step)


def _fault(error: _UnfitError, name: str) -> Diagnostic:
    document = Document(name, error.path)
    span = Span(document, 1, 1, 1, len(document.text) + 1)
    where = error.path[:_LONGEST] or "the whole config"
    label = f"{where} is a value of the type {type(error.value).__name__}"
    help_ = "write a mapping, a list, a text, a number, a boolean or None"
    return Diagnostic("NB108", "a config cannot hold this value", span, label, help=help_)
