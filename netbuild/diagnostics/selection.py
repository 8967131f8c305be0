"""The choice of reported faults: `--select`, `--ignore`, `--strict` and `[tool.netbuild]`."""

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

# tomli is the same parser; Python includes it since 3.11 as tomllib.
_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
_TABLE = "[tool.netbuild]"


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
    shown = os.path.relpath(path)
    try:
        data = path.read_bytes()
        if b"netbuild" not in data:  # parsing takes time
            return Settings()
        tool = import_module(_TOML).loads(data.decode()).get("tool", {})
    except OSError as error:
        raise SettingsError(f"{shown} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a fault of the TOML or of the encoding
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
