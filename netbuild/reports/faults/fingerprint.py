"""What tells a fault from all others, for services that compare the reports of two commits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic


def fingerprints(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """Return a fingerprint of each fault. It stays equal when lines above the fault are edited.

    Faults that are alike get numbers.
    """
    seen: dict[str, int] = {}
    found = []
    for diagnostic in diagnostics:
        print_ = _fingerprint(diagnostic)
        seen[print_] = seen.get(print_, 0) + 1
        found.append(f"{print_}:{seen[print_]}")
    return found


def _fingerprint(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    line = span.document.lines[span.line - 1].strip()
    name = uri(span.document.name)
    parts = name, diagnostic.code, diagnostic.title, diagnostic.layer or "", line
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def uri(name: str) -> str:
    """Return a path as a URI. A path below the current folder becomes relative."""
    path = relative(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix(), "/", errors=_PASS)


_PASS = "surrogatepass"  # noqa: S105  a handler of errors


def relative(name: str) -> Path:
    """Return a path without `..`. A path below the current folder becomes relative."""
    path = Path(os.path.normpath(name))
    below = path.is_absolute() and path.is_relative_to(Path.cwd())
    return path.relative_to(Path.cwd()) if below else path
