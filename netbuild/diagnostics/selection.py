"""Which faults are reported: `--select`, `--ignore`, `--strict`, and `[tool.netbuild]`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.wording import brief, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The same parser, before it became part of Python.
_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
_TABLE = "[tool.netbuild]"


class Settings(NamedTuple):
    """What is reported, and whether warnings count as errors; None is not said."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    strict: bool | None = None

    def over(self, under: Settings) -> Settings:
        """Return these settings, and those of `under` where these say nothing."""
        said = {key: value for key, value in self._asdict().items() if value is not None}
        return under._replace(**said)

    def reports(self, code: str) -> bool:
        """Whether faults of a code are reported: the longer prefix decides, of two alike `ignore`.

        >>> Settings(select=("NB301",), ignore=("NB3",)).reports("NB301")
        True
        """
        return _longest(self.select or ("NB",), code) > _longest(self.ignore or (), code)


def is_known(prefix: str) -> bool:
    """Whether a code begins like this: `NB301`, `NB3` or `NB`."""
    return len(prefix) > 1 and any(code.startswith(prefix) for code in CODES)


def near(word: str) -> str:
    """Return what is to be said of a word that is no code."""
    alike = {code[: len(word)] for code in CODES if len(word) in {3, 5}}  # a group, or a code
    meant = suggest(word, tuple(sorted(alike)))
    return f"did you mean {meant}?" if meant else "a code is like NB301, a group of them like NB3"


def codes(words: Iterable[str], source: str) -> tuple[str, ...]:
    """Return the codes that words name, each perhaps several with commas between.

    Raises:
        SettingsError: a word is no code, or there is none.
    """
    found = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not found:
        raise SettingsError(f"{source} names no code")
    for word in found:
        if not is_known(word):
            raise SettingsError(f"{source}: no code begins with {brief(word)}; {near(word)}")
    return tuple(found)


def from_project(folder: Path) -> Settings:
    """Return what the nearest `pyproject.toml` says, in this folder or one above.

    Raises:
        SettingsError: the file cannot be read, is no TOML, or its table is not understood.
    """
    path = project_file(folder)
    if path is None:
        return Settings()
    shown = os.path.relpath(path)
    try:
        data = path.read_bytes()
        if b"netbuild" not in data:  # then it need not be parsed
            return Settings()
        tool = import_module(_TOML).loads(data.decode()).get("tool", {})
    except OSError as error:
        raise SettingsError(f"{shown} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # of the TOML, or of the encoding
        raise SettingsError(f"{shown} is not valid TOML: {error}") from None
    table = tool.get("netbuild", {}) if isinstance(tool, dict) else {}
    return _from_table(table, shown)


def project_file(folder: Path) -> Path | None:
    """Return the nearest `pyproject.toml`, or None."""
    folder = folder.resolve()
    return next(
        (p for f in (folder, *folder.parents) if (p := f / "pyproject.toml").is_file()), None
    )


def _from_table(table: Any, shown: str) -> Settings:
    if not isinstance(table, dict):
        raise SettingsError(f"{shown}: tool.netbuild is no table; write {_TABLE}")
    for key in table:
        if key not in Settings._fields:
            meant = suggest(key, Settings._fields)
            help_ = f"did you mean {meant}?" if meant else f"it has {', '.join(Settings._fields)}"
            raise SettingsError(f"{shown}: {_TABLE} has no {brief(key)}; {help_}")
    strict = table.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise SettingsError(f"{shown}: strict in {_TABLE} wants true or false")
    return Settings(_listed(table, "select", shown), _listed(table, "ignore", shown), strict)


def _listed(table: dict[str, Any], key: str, shown: str) -> tuple[str, ...] | None:
    words = table.get(key)
    if words is None:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SettingsError(f'{shown}: {key} in {_TABLE} wants a list of codes, such as ["NB301"]')
    return codes(words, f"{shown}: {key} in {_TABLE}") if words else None


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)
