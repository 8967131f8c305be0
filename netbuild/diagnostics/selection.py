"""The choice of reported faults: `--select`, `--ignore`, `--strict` and `[tool.netbuild]`."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.files import kind, read, real
from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.wording import brief, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

# tomli is the same parser; Python includes it since 3.11 as tomllib.
_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
_TABLE = "[tool.netbuild]"
#: The largest `pyproject.toml`, in bytes. Those of large projects have a quarter.
_MAX_BYTES = 1 << 18
#: A key of many parts. The parser takes 20 seconds for one of 40,000 characters.
_LONG_KEY = re.compile(r"""(?<![\w-])((?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){32}""")


class Settings(NamedTuple):
    """The reported codes, and whether warnings count as errors. None is a setting not given."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    strict: bool | None = None

    def over(self, under: Settings) -> Settings:
        """Return these settings, with the settings of `under` in place of None."""
        said = {key: value for key, value in self._asdict().items() if value is not None}
        return under._replace(**said)

    def reports(self, code: str) -> bool:
        """Whether faults of a code are reported. The longer prefix decides; in a tie, ignore.

        >>> Settings(select=("NB301",), ignore=("NB3",)).reports("NB301")
        True
        """
        return _longest(self.select or ("NB",), code) > _longest(self.ignore or (), code)


def is_known(prefix: str) -> bool:
    """Whether a code begins with a prefix such as `NB301`, `NB3` or `NB`."""
    return len(prefix) > 1 and any(code.startswith(prefix) for code in CODES)


def near(word: str) -> str:
    """Return advice on a word that is not a code."""
    alike = {code[: len(word)] for code in CODES if len(word) in {3, 5}}  # a group, or a code
    meant = suggest(word, tuple(sorted(alike)))
    return f"did you mean {meant}?" if meant else "a code looks like NB301, and a group like NB3"


def codes(words: Iterable[str], source: str) -> tuple[str, ...]:
    """Return the codes in a list of words. A word can hold several, with commas.

    Raises:
        SettingsError: a word is not a code, or the list is empty.
    """
    found = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not found:
        raise SettingsError(f"{source} names no code")
    for word in found:
        if not is_known(word):
            raise SettingsError(f"{source}: no code begins with {brief(word)}; {near(word)}")
    return tuple(found)


def from_project(folder: Path) -> Settings:
    """Return the settings of the nearest `pyproject.toml`, in this folder or above.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or has an invalid table.
    """
    path = project_file(folder)
    if path is None:
        return Settings()
    shown = _relative(path)
    try:
        data = read(path, _MAX_BYTES)
    except OSError as error:
        raise SettingsError(f"{shown} cannot be read: {error.strerror or error}") from None
    if b"netbuild" not in data:  # parsing takes time
        return Settings()
    tool = _parsed(data, shown).get("tool", {})
    table = tool.get("netbuild", {}) if isinstance(tool, dict) else {}
    return _from_table(table, shown)


def _parsed(data: bytes, shown: str) -> dict[str, Any]:
    """Return the contents of a TOML file.

    Raises:
        SettingsError: it is not TOML, or would take too long to parse.
    """
    try:
        text = data.decode()
        long = _LONG_KEY.search(text)
        found: dict[str, Any] = {} if long else import_module(_TOML).loads(text)
    except RecursionError:
        raise SettingsError(f"{shown} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # a fault of the TOML or of the encoding
        raise SettingsError(f"{shown} is not valid TOML: {error}") from None
    if long:
        raise SettingsError(f"{shown} cannot be read: it has a key of more than 32 parts")
    return found


def project_file(folder: Path) -> Path | None:
    """Return the nearest `pyproject.toml`, or None."""
    folder = Path(real(folder))
    return next(
        (p for f in (folder, *folder.parents) if _is_there(p := f / "pyproject.toml")), None
    )


def _relative(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except (OSError, ValueError):  # the working folder is gone, or lies on another drive
        return str(path)


def _is_there(path: Path) -> bool:
    """Whether there is such a file; also if it cannot be read, which is reported later."""
    try:
        return kind(path) == "file"
    except OSError:
        return os.path.lexists(path)  # not if the folder may not be entered


def _from_table(table: Any, shown: str) -> Settings:
    if not isinstance(table, dict):
        raise SettingsError(f"{shown}: tool.netbuild is not a table; write {_TABLE}")
    for key in table:
        if key not in Settings._fields:
            meant = suggest(key, Settings._fields)
            help_ = (
                f"did you mean {meant}?" if meant else f"its keys are {', '.join(Settings._fields)}"
            )
            raise SettingsError(f"{shown}: {_TABLE} has no {brief(key)}; {help_}")
    strict = table.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise SettingsError(f"{shown}: strict in {_TABLE} must be true or false")
    return Settings(_listed(table, "select", shown), _listed(table, "ignore", shown), strict)


def _listed(table: dict[str, Any], key: str, shown: str) -> tuple[str, ...] | None:
    words = table.get(key)
    if words is None:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SettingsError(
            f'{shown}: {key} in {_TABLE} must be a list of codes, such as ["NB301"]'
        )
    return codes(words, f"{shown}: {key} in {_TABLE}") if words else None


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)
