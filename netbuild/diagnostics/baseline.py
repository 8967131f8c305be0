"""A baseline: the warnings that a project knows and does not want to see again.

A known warning is remembered by its file, its code and the text of its line, and not by the number
of the line. So it stays known when lines around it change, and is new when its own line changes.
Equal warnings are counted. Errors are never known: a network with an error does not run.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.wording import reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.diagnostics.diagnostic import Diagnostic

_VERSION = 1
#: A larger file is no baseline: a million warnings are smaller.
_MAX_BYTES = 100 << 20


class Known(NamedTuple):
    """What a baseline remembers of a warning. The path starts at the folder of the baseline."""

    file: str
    code: str
    line: str


class Baseline(NamedTuple):
    """The known warnings of a project, each with its number."""

    path: Path
    counts: Counter[Known]

    @property
    def shown(self) -> str:
        """The path as a message has it."""
        return os.path.relpath(self.path) if self.path.is_absolute() else str(self.path)

    def key(self, diagnostic: Diagnostic) -> Known:
        """Return what the baseline remembers of a warning."""
        span = diagnostic.span
        text = " ".join(span.document.lines[span.line - 1].split())
        return Known(self.inside(span.document.name), diagnostic.code, text)

    def split(self, warnings: Iterable[Diagnostic]) -> tuple[list[Diagnostic], Counter[Known]]:
        """Return the warnings that are new, and the known ones that did not come."""
        left, new = self.counts.copy(), []
        for warning in warnings:
            key = self.key(warning)
            if left[key] > 0:
                left[key] -= 1
            else:
                new.append(warning)
        return new, +left

    def renewed(self, warnings: Iterable[Diagnostic], files: Iterable[str]) -> Baseline:
        """Return the baseline with these warnings in place of all that it knows of these files.

        A file that is gone is left out too.
        """
        checked = {self.inside(name) for name in files}
        kept = {
            key: count
            for key, count in self.counts.items()
            if key.file not in checked and (self.path.parent / key.file).exists()
        }
        return self._replace(counts=Counter(kept) | Counter(map(self.key, warnings)))

    def text(self) -> str:
        """Return the text of the file: a line for each warning, in order."""
        lines = [
            json.dumps({**key._asdict(), "count": count}, ensure_ascii=False)
            for key, count in sorted(self.counts.items())
        ]
        body = ",\n    ".join(lines)
        listed = f"[\n    {body}\n  ]" if lines else "[]"
        return f'{{\n  "version": {_VERSION},\n  "warnings": {listed}\n}}\n'

    def write(self) -> None:
        """Write the file completely, or leave it unchanged.

        Raises:
            OSError: the file cannot be written.
        """
        new = self.path.with_name(f".{self.path.name}.new")
        try:
            new.write_text(self.text(), encoding="utf-8", errors="surrogatepass")
            new.replace(self.path)
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)

    def inside(self, name: str) -> str:
        """Return the path of a file as the baseline has it."""
        folder, file = os.path.split(name)
        try:
            path = Path(os.path.realpath(folder), file)
            return Path(os.path.relpath(path, self.path.parent.resolve())).as_posix()
        except ValueError:  # another drive of Windows
            return name


def read(path: Path, *, missing: bool = False) -> Baseline:
    """Read a baseline.

    Args:
        path: the file.
        missing: whether the file may be missing. The baseline is then empty.

    Raises:
        SettingsError: the file cannot be read, or is not a baseline.
    """
    empty = Baseline(path, Counter())
    shown = empty.shown
    try:
        if missing and not path.exists():
            return empty
        if path.exists() and not path.is_file():
            raise SettingsError(f"the baseline {shown} is not a file")
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise SettingsError(f"the baseline {shown} has more than {_MAX_BYTES >> 20} MiB")
        return empty._replace(counts=_counts(json.loads(data)))
    except OSError as error:
        help_ = "; --write-baseline writes it" if isinstance(error, FileNotFoundError) else ""
        raise SettingsError(
            f"the baseline {shown} cannot be read: {reason(error)}{help_}"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        help_ = "--write-baseline writes one into a file that does not exist"
        raise SettingsError(f"{shown} is not a baseline of netbuild; {help_}") from None


def _counts(document: Any) -> Counter[Known]:
    if document["version"] != _VERSION:
        raise ValueError
    found = Counter[Known]()
    for entry in document["warnings"]:
        key, count = Known(entry["file"], entry["code"], entry["line"]), entry["count"]
        if not all(isinstance(part, str) for part in key) or type(count) is not int:
            raise TypeError
        found[key] += count
    return found
