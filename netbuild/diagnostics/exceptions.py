"""The exceptions that users of netbuild may catch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.diagnostics.diagnostic import Diagnostic


class ConfigError(ValueError):
    """A config has faults: `.diagnostics` holds all of them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(
            "\n".join(
                f"{d.span.document.name}:{d.span.line}:{d.span.column}: {d.code} {d.message}"
                for d in self.diagnostics
            )
        )


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message is one sentence for the one who started it."""


class RunNotFoundError(TrainingError):
    """There is no run, or no checkpoint, where one was asked for."""
