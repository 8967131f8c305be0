"""The choice of files and faults: `--select`, `--ignore`, `--strict` and `[tool.netbuild]`."""

from __future__ import annotations

import os
import re
import sys
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.files import kind, read, real
from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.wording import brief, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netbuild.diagnostics.diagnostic import Diagnostic

# tomli is the same parser; Python includes it since 3.11 as tomllib.
_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
_TABLE = "[tool.netbuild]"
#: The largest `pyproject.toml`, in bytes. Those of large projects have a quarter.
_MAX_BYTES = 1 << 18
#: A key of many parts. The parser takes 20 seconds for one of 40,000 characters.
_LONG_KEY = re.compile(r"""(?<![\w-])((?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){32}""")


class Settings(NamedTuple):
    """What is checked and reported. None is a setting that is not given."""

    #: The codes that are reported, and those that are not.
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    #: Whether warnings count as errors.
    strict: bool | None = None
    #: The files and folders that `validate` checks if it gets no path.
    include: tuple[str, ...] | None = None
    #: The files and folders that a search leaves out.
    exclude: tuple[str, ...] | None = None
    #: The codes that are not reported in the files of a pattern.
    per_file_ignores: Mapping[str, tuple[str, ...]] | None = None
    #: The file with the known warnings.
    baseline: Path | None = None
    #: The folder of the `pyproject.toml`. Its patterns and paths start there.
    folder: Path | None = None

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

    def shows(self, diagnostic: Diagnostic) -> bool:
        """Whether a fault is reported. `per-file-ignores` looks at the file of its place."""
        if not self.reports(diagnostic.code):
            return False
        if not self.per_file_ignores:
            return True
        path = self._inside(diagnostic.span.document.name)
        return not any(
            _longest(ignored, diagnostic.code)
            for pattern, ignored in self.per_file_ignores.items()
            if _fits(path, pattern)
        )

    def excludes(self, path: str) -> bool:
        """Whether a search leaves out a file or a folder."""
        if not self.exclude:
            return False
        inside = self._inside(path)
        return any(_fits(inside, pattern) for pattern in self.exclude)

    def _inside(self, path: str) -> str:
        """Return a path as a pattern has it: relative to the folder of the project, with `/`."""
        folder, name = os.path.split(path)
        try:  # a link has the path of the link, not of its target
            path = os.path.relpath(Path(os.path.realpath(folder), name), self.folder)
        except ValueError:  # another drive of Windows, or a NUL character
            return path
        return Path(path).as_posix()


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
        return Settings(folder=path.parent)
    tool = _parsed(data, shown).get("tool", {})
    table = tool.get("netbuild", {}) if isinstance(tool, dict) else {}
    return _from_table(table, path.parent, shown)


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


#: The keys of the table: the fields of `Settings`, in the spelling of TOML.
KEYS = tuple(field.replace("_", "-") for field in Settings._fields[:-1])


def _from_table(table: Any, folder: Path, shown: str) -> Settings:
    if not isinstance(table, dict):
        raise SettingsError(f"{shown}: tool.netbuild is not a table; write {_TABLE}")
    for key in table:
        if key not in KEYS:
            meant = suggest(key, KEYS)
            help_ = f"did you mean {meant}?" if meant else f"its keys are {', '.join(KEYS)}"
            raise SettingsError(f"{shown}: {_TABLE} has no {brief(key)}; {help_}")
    strict, baseline = table.get("strict"), table.get("baseline")
    if strict is not None and not isinstance(strict, bool):
        raise SettingsError(f"{shown}: strict in {_TABLE} must be true or false")
    if baseline is not None and not (isinstance(baseline, str) and baseline.strip()):
        raise SettingsError(f"{shown}: baseline in {_TABLE} must be the path of a file")
    return Settings(
        _codes(table, "select", shown),
        _codes(table, "ignore", shown),
        strict,
        _texts(table, "include", f"{shown}: include in {_TABLE}", _PATHS),
        _texts(table, "exclude", f"{shown}: exclude in {_TABLE}", _PATHS),
        _per_file(table.get("per-file-ignores"), shown),
        None if baseline is None else folder / baseline,
        folder,
    )


_CODES = 'codes, such as ["NB301"]'
_PATHS = 'paths, such as ["configs"]'


def _codes(table: dict[str, Any], key: str, shown: str) -> tuple[str, ...] | None:
    where = f"{shown}: {key} in {_TABLE}"
    words = _texts(table, key, where, _CODES)
    return codes(words, where) if words else None


def _texts(table: dict[str, Any], key: str, where: str, what: str) -> tuple[str, ...] | None:
    """Return a list of texts of a table; None if it is absent or empty."""
    words = table.get(key)
    if words is None:
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise SettingsError(f"{where} must be a list of {what}")
    return tuple(words) or None


def _per_file(table: Any, shown: str) -> dict[str, tuple[str, ...]] | None:
    """Return the ignored codes by the pattern of their files."""
    if table is None:
        return None
    where = f"{shown}: per-file-ignores in {_TABLE}"
    if not isinstance(table, dict):
        raise SettingsError(f'{where} must be a table, such as {{"old/*" = ["NB301"]}}')
    found = {}
    for pattern in table:
        said = f"{where}, {brief(pattern)}"
        words = _texts(table, pattern, said, _CODES)
        found[pattern] = codes(words, said) if words else ()
    return found


def _fits(path: str, pattern: str) -> bool:
    """Whether a path, or a folder around it, fits a pattern.

    `*` also stands for several folders. A pattern without a slash fits a name at any depth.

    >>> _fits("configs/old/net.yaml", "configs/old"), _fits("configs/old/net.yaml", "net.*")
    (True, True)
    """
    pattern = pattern.removeprefix("./").rstrip("/")
    parts = path.split("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    above = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    either = (pattern, pattern.replace("**/", ""))  # `**/` may stand for no folder
    return any(fnmatchcase(one, each) for one in above for each in either)


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)
